"""`platform` of a service: `OS[/ARCHITECTURE[/VARIANT]]`, as a constraint on where its tasks may run. Pure."""

from __future__ import annotations

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "arm": "armv7l"}
"""Go's names of architectures, and what nodes say of themselves."""


def parse_platform(text: str) -> tuple[str, str]:
    """The operating system and the architecture, in the words of nodes; "" where it is left open.

    Raises:
        ValueError: it is not a platform.
    """
    system, *rest = text.lower().split("/")
    if len(rest) > 2 or not system or "" in rest:
        raise ValueError(f'"{text}" is not a platform; write it like "linux/amd64"')
    machine = rest[0] if rest else ""
    return system, _MACHINES.get(machine, machine)


def platform_constraints(text: str) -> list[str]:
    """The placement constraints that `text` stands for."""
    system, machine = parse_platform(text)
    constraints = [f"node.platform.os=={system}"]
    return [*constraints, f"node.platform.arch=={machine}"] if machine else constraints
