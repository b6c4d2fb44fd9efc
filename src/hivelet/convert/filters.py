"""The `filters` parameter of list calls: which values were asked for, and the ways Docker compares them.

Values of one key are alternatives, keys add up; only labels must all match.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec
import re2  # type: ignore[import-untyped]

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
"""Go's own expressions, in time that grows with the text alone: Python's take years for `(a+)+b`."""


class Filters:
    """Parsed filters. Note the difference: `exact`, `prefix` and `pattern` are true where the key was not given."""

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = dict(values)

    def __contains__(self, key: str) -> bool:
        return bool(self._values.get(key))

    def get(self, key: str) -> tuple[str, ...]:
        """The values of a key, none where it was not given."""
        return self._values.get(key, ())

    def exact(self, key: str, *candidates: str) -> bool:
        """Whether one of the candidates is one of the values."""
        return key not in self or any(candidate in self._values[key] for candidate in candidates)

    def prefix(self, key: str, *candidates: str) -> bool:
        """Whether one of the candidates begins with one of the values."""
        return key not in self or any(
            candidate.startswith(self._values[key]) for candidate in candidates
        )

    def pattern(self, key: str, *candidates: str) -> bool:
        """Whether one of the values, read as a regular expression, is found in one of the candidates."""
        if key not in self:
            return True
        return any(
            _found(value, candidate) for value in self._values[key] for candidate in candidates
        )

    def labels(self, key: str, labels: Mapping[str, str]) -> bool:
        """Whether the labels have every one of the values (`name` or `name=value`)."""
        return all(_has_label(labels, value) for value in self.get(key))

    def without_labels(self, key: str, labels: Mapping[str, str]) -> bool:
        """Whether the labels have none of the values."""
        return not any(_has_label(labels, value) for value in self.get(key))

    def boolean(self, key: str) -> bool | None:
        """A yes or no; None where it was not given.

        Raises:
            InvalidParameter: it is something else.
        """
        values = {value.lower() for value in self.get(key)}
        if not values:
            return None
        if values <= {"1", "true"}:
            return True
        if values <= {"0", "false"}:
            return False
        raise InvalidParameter(f"Invalid filter '{key}=[{' '.join(self.get(key))}]'")

    def one_of(self, key: str, allowed: Collection[str]) -> bool:
        """Check the values of a key; True where it was given.

        Raises:
            InvalidParameter: a value is not allowed.
        """
        for value in self.get(key):
            if value not in allowed:
                raise InvalidParameter(f"Invalid {key} filter: '{value}'")
        return key in self


def parse_filters(text: str, accepted: Iterable[str]) -> Filters:
    """The filters of a query, in the present form (`{"label": ["a"]}`) or the old (`{"label": {"a": true}}`).

    Raises:
        InvalidParameter: it is not such JSON, or a key is not accepted.
    """
    if not text:
        return Filters({})
    try:
        given = decode_json(text, dict[str, list[str] | dict[str, bool] | None])
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid filters: {error}") from error
    known = set(accepted)
    for key in given:
        if key not in known:
            raise InvalidParameter(f"Invalid filter '{key}'")
    return Filters({key: _values(value) for key, value in given.items()})


def _values(value: list[str] | dict[str, bool] | None) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(name for name, wanted in value.items() if wanted)
    return tuple(value or ())


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    name, separator, value = wanted.partition("=")
    return name in labels and (not separator or labels[name] == value)


def _found(value: str, candidate: str) -> bool:
    if value == candidate:
        return True
    try:
        return re2.search(value, candidate, _OPTIONS) is not None
    except (re2.error, UnicodeError):
        return False
