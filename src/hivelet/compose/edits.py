"""`!reset` and `!override` in a file that is laid over others: what it takes away from those below it. Pure.

`key: !reset …` takes the value below away and gives none; `key: !override …` takes it away and gives its own. Both
are paths that are removed from the files below before the rest is merged as ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hivelet.compose.document import Node, Path, Problem

RESET, OVERRIDE = "!reset", "!override"


def take_edits(root: Node) -> tuple[Node, list[Path], list[Problem]]:
    """The file without values that are reset, the paths to take away from the files below, and what is wrong."""
    paths: list[Path] = []
    problems: list[Problem] = []
    return _without(root, (), paths, problems), paths, problems


def apply_edits(below: dict[str, Any], paths: Iterable[Path]) -> None:
    """Take `paths` away from the long form of the files below, in place."""
    for path in paths:
        holder: Any = below
        for step in path[:-1]:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder.pop(path[-1], None)


def _without(node: Node, path: Path, paths: list[Path], problems: list[Problem]) -> Node:
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            if item.edit:
                message = f"{item.edit} stands on an item of a list"
                hint = "put it on the list as a whole"
                problems.append(Problem(path=(*path, index), message=message, hint=hint))
        items = [_without(item, (*path, i), paths, problems) for i, item in enumerate(node.value)]
        return Node(items, node.mark, node.keys, node.size)
    if not isinstance(node.value, dict):
        return node
    kept: dict[str, Node] = {}
    for key, inner in node.value.items():
        if inner.edit:
            paths.append((*path, key))
        if inner.edit != RESET:
            kept[key] = _without(inner, (*path, key), paths, problems)
    return Node(kept, node.mark, node.keys, node.size)
