"""Say where two recordings differ: status codes, messages, keys and kinds of values; not the values themselves.

`python tests/conformance/compare.py DIRECTORY` compares the recording of another engine with `recorded/`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"

ACCEPTED = json.loads(Path(__file__).with_name("accepted.json").read_text())
"""Differences that are meant: a pattern of the line that tells of one, and the reason."""

_BY_ID = {"Containers", "Services", "Networks", "Runtimes", "Options", "Attributes", "Labels"}
"""Keys whose maps are keyed by names: what is inside is compared, not which names there are."""


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where the shape of `ours` is not that of `theirs`; null, empty and absent lists are alike only if both are null."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        yield from _dict_differences(ours, theirs, path)
    elif isinstance(ours, list) and isinstance(theirs, list):
        if ours and theirs:
            yield from differences(ours[0], theirs[0], f"{path}[0]")
    elif kind(ours) != kind(theirs):
        yield f"{path or '.'}: {kind(ours)} instead of {kind(theirs)}"


def kind(value: Any) -> str:
    """A value's kind in JSON's words."""
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else type(value).__name__
    )


def _without_ids(message: str) -> str:
    """Ids are numbered in the order in which a recording met them, which is its own."""
    return re.sub(r"\b[0-9a-f]{12,64}\b", "ID", message)


def _dict_differences(ours: dict[str, Any], theirs: dict[str, Any], path: str) -> Iterator[str]:
    if path.rpartition(".")[2] in _BY_ID:
        if ours and theirs:
            first, second = next(iter(ours.values())), next(iter(theirs.values()))
            yield from differences(first, second, f"{path}.*")
        return
    if set(ours) == set(theirs) == {"message"}:
        if _without_ids(ours["message"]) != _without_ids(theirs["message"]):
            yield f"message {ours['message']!r}\n        instead of {theirs['message']!r}"
        return
    for key in theirs.keys() - ours.keys():
        yield f"{path}.{key} is missing"
    for key in ours.keys() - theirs.keys():
        yield f"{path}.{key} is new"
    for key in ours.keys() & theirs.keys():
        yield from differences(ours[key], theirs[key], f"{path}.{key}")


def compare_scene(scene: Path) -> Iterator[str]:
    """All differences between a scene that another engine has played and the recorded one."""
    ours, theirs = json.loads(scene.read_text()), json.loads((RECORDED / scene.name).read_text())
    for name in theirs:
        if name not in ours or "observed" in theirs[name]:
            continue
        found = sorted(differences(ours[name]["answer"], theirs[name]["answer"]))
        if ours[name]["status"] != theirs[name]["status"]:
            found.insert(0, f"status {ours[name]['status']} instead of {theirs[name]['status']}")
        yield from (f"{scene.stem} {name}: {line}" for line in found)


def reason_for(line: str) -> str:
    """Why a difference is meant; "" where it is not."""
    return next((each["why"] for each in ACCEPTED if re.search(each["where"], line)), "")


def main() -> None:
    """Compare all scenes that both recordings have; with `--all`, tell of accepted differences too."""
    for scene in sorted(Path(sys.argv[1]).glob("*.json")):
        for line in compare_scene(scene):
            if "--all" in sys.argv or not reason_for(line):
                print(line)


if __name__ == "__main__":
    main()
