"""Contexts of builds that are addresses. Pure."""

from __future__ import annotations

_WITHOUT_SCHEME = ("git@", "github.com/")


def is_address(context: str) -> bool:
    """Whether a context is an address, of a git repository or of an archive, rather than a folder."""
    return "://" in context or context.startswith(_WITHOUT_SCHEME)
