"""Linux capabilities to add and to drop, as the docker CLI sends them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_ALL = "ALL"


def effective_capabilities(
    added: Iterable[str], dropped: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Both lists with whole names, sorted; what is added is not dropped as well, and ALL stands alone."""
    add = {whole_name(name) for name in added}
    drop = {whole_name(name) for name in dropped}
    add = {_ALL} if _ALL in add else add
    drop = {_ALL} if _ALL in drop else drop
    return sorted(add), sorted(drop - add)


def whole_name(name: str) -> str:
    """`ALL`, or a capability with its prefix, whichever way it was written."""
    upper = name.strip().upper()
    return upper if upper == _ALL or upper.startswith("CAP_") else f"CAP_{upper}"
