"""What a table's fixed part is made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Container:
    """A set or map: what it is, its type, and what it is for."""

    kind: str
    name: str
    definition: str
    purpose: str


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that a netfilter hook enters."""

    name: str
    hook: str
    rules: tuple[str, ...]
