"""The keys by which a user leaves a terminal without ending what runs in it. Pure.

`ctrl-p,ctrl-q` unless said otherwise. Keys are named as in Docker: one character, or `ctrl-` and one of `a`-`z @ [ \\ ] ^ _`.
"""

from __future__ import annotations

from hivelet.errors import InvalidParameter

DEFAULT = "ctrl-p,ctrl-q"

_CONTROL = {chr(ord("a") + n): n + 1 for n in range(26)} | {
    "@": 0,
    "[": 27,
    "\\": 28,
    "]": 29,
    "^": 30,
    "_": 31,
}


def parse_detach_keys(text: str) -> bytes:
    """The bytes that the keys send; the default ones where nothing is said.

    Raises:
        InvalidParameter: one of them is no key.
    """
    sequence = bytearray()
    for key in (text or DEFAULT).split(","):
        if len(key) == 1 and key.isascii():
            sequence.append(ord(key))
        elif key.lower().startswith("ctrl-") and key[5:].lower() in _CONTROL:
            sequence.append(_CONTROL[key[5:].lower()])
        else:
            raise InvalidParameter(
                f"Invalid detach keys ({text}) provided: '{key}' is neither a character nor ctrl- and a letter or one of @[\\]^_"
            )
    return bytes(sequence)


class DetachScanner:
    """Looks for the keys in what a user types. What could be their beginning is held back until it is known."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._seen = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What goes on to the process, and whether the user has left."""
        passed = bytearray()
        for byte in data:
            if byte == self._keys[self._seen]:
                self._seen += 1
                if self._seen == len(self._keys):
                    return bytes(passed), True
                continue
            passed += self._keys[: self._seen]
            # What was held back is no beginning; this byte may be one.
            self._seen = 1 if byte == self._keys[0] and len(self._keys) > 1 else 0
            if not self._seen:
                passed.append(byte)
        return bytes(passed), False
