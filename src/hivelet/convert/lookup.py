"""Finding one object by what a user calls it: its id, its name, or the beginning of its id, in that order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from hivelet.errors import InvalidParameter, NotFound

T = TypeVar("T")


def find(
    ref: str,
    objects: Iterable[T],
    key: Callable[[T], tuple[str, str]],
    *,
    noun: str,
) -> T:
    """The one object that `ref` means; `key` gives an object's id and name.

    Raises:
        NotFound: there is none.
        InvalidParameter: several match equally well.
    """
    known = [(key(candidate), candidate) for candidate in objects]
    for words, matches in (
        ("id", [o for (identity, _), o in known if identity == ref]),
        ("name", [o for (_, name), o in known if name == ref]),
        ("id prefix", [o for (identity, _), o in known if ref and identity.startswith(ref)]),
    ):
        if len(matches) > 1:
            raise InvalidParameter(
                f"{noun} {ref} is ambiguous ({len(matches)} matches found based on {words})"
            )
        if matches:
            return matches[0]
    raise NotFound(f"{noun} {ref} not found")
