"""The keys by which a user leaves a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.convert.detach_keys import DetachScanner, parse_detach_keys
from hivelet.errors import InvalidParameter


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-@,a,CTRL-[", b"\x00a\x1b"),
        ("ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1c\x1d\x1e\x1f"),
    ],
)
def test_keys_by_their_names(text, keys):
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ab", "ctrl-", "ctrl-1", "ctrl-p,", "strg-p", "ä"])
def test_what_is_no_key(text):
    with pytest.raises(InvalidParameter, match="Invalid detach keys"):
        parse_detach_keys(text)


@pytest.mark.parametrize(
    ("typed", "passed", "left"),
    [
        (b"abc", b"abc", False),
        (b"ab\x10\x11cd", b"ab", True),
        (b"\x10a", b"\x10a", False),
        (b"\x10\x10\x11", b"\x10", True),
        (b"\x11\x10", b"\x11", False),
    ],
)
def test_what_goes_on_to_the_process(typed, passed, left):
    assert DetachScanner(b"\x10\x11").feed(typed) == (passed, left)


@given(
    st.lists(st.binary(max_size=6).map(lambda b: bytes(x % 4 for x in b)), max_size=8),
    st.binary(min_size=1, max_size=3).map(lambda b: bytes(x % 4 for x in b)),
)
def test_pieces_do_not_matter_and_nothing_is_lost(pieces, keys):
    whole = b"".join(pieces)
    expected = DetachScanner(keys).feed(whole)
    scanner, passed, left = DetachScanner(keys), b"", False
    for piece in pieces:
        more, left = scanner.feed(piece)
        passed += more
        if left:
            break
    assert (passed, left) == expected
    if not left:
        held = whole.removeprefix(passed)
        assert passed + held == whole
        assert keys.startswith(held)
