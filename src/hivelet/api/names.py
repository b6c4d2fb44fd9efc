"""Names for services whose author gave none, as Docker invents them: two words that are easy to say and to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Collection

_FIRST = (
    "amber", "brave", "bright", "brisk", "calm", "clear", "clever", "cosy", "crisp", "eager", "early", "fair",
    "fresh", "gentle", "glad", "golden", "happy", "humble", "jolly", "keen", "kind", "lively", "lucky", "mellow",
    "merry", "mild", "neat", "nimble", "patient", "plucky", "polite", "proud", "quick", "quiet", "ready", "silver",
    "sunny", "swift", "tidy", "warm",
)  # fmt: skip

_SECOND = (
    "acorn", "alder", "badger", "beech", "bumblebee", "chestnut", "clover", "comb", "crane", "dragonfly", "drone",
    "fern", "finch", "firefly", "hawthorn", "hazel", "heather", "heron", "hive", "honey", "iris", "lark", "lilac",
    "linden", "maple", "meadow", "mint", "nectar", "otter", "pollen", "poppy", "robin", "rowan", "sage", "swallow",
    "thistle", "thyme", "wagtail", "willow", "wren",
)  # fmt: skip


def invent_name(choose: Callable[[int], int], taken: Collection[str]) -> str:
    """A name that nobody has; `choose(n)` draws a number below n. After ten draws a number is put behind it."""
    for _ in range(10):
        name = f"{_FIRST[choose(len(_FIRST))]}_{_SECOND[choose(len(_SECOND))]}"
        if name not in taken:
            return name
    return next(f"{name}{n}" for n in range(1, len(taken) + 2) if f"{name}{n}" not in taken)
