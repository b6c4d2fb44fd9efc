"""How a user names an object: by id, by name, or by the unique beginning of an id, in that order. Pure.

The sentences are dockerd's, as clients print and match them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.plan import Object

O = TypeVar("O", bound=Object)  # noqa: E741


def find_one(what: str, ref: str, objects: Iterable[O], name_of: Callable[[O], str]) -> O:
    """The one object that `ref` means.

    Raises:
        NotFound: there is none.
        InvalidParameter: it is the beginning of several ids, or several have the name.
    """
    listed = list(objects)
    for obj in listed:
        if obj.id == ref:
            return obj
    for matches in (
        [obj for obj in listed if name_of(obj) == ref],
        [obj for obj in listed if ref and obj.id.startswith(ref)],
    ):
        if len(matches) > 1:
            raise InvalidParameter(f"{what} {ref} is ambiguous ({len(matches)} matches found)")
        if matches:
            return matches[0]
    raise NotFound(f"{what} {ref} not found")
