from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from hivelet.client.streams import iter_frames, iter_json, iter_lines


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in pieces of any size, as a socket gives it."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


SIZES = st.lists(st.integers(min_value=0, max_value=9), max_size=30)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20))), SIZES)
def test_frames_come_whole_however_they_are_cut(
    frames: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    data = b"".join(struct.pack(">BxxxL", kind, len(text)) + text for kind, text in frames)
    assert list(iter_frames(cut(data, sizes))) == frames


@given(SIZES)
def test_json_values_come_whole_however_they_are_cut(sizes: list[int]) -> None:
    data = b'{"a": 1}\r\n{"b": "x"}\n\n{"c": []}'
    assert list(iter_json(cut(data, sizes))) == [{"a": 1}, {"b": "x"}, {"c": []}]


def test_last_line_needs_no_end() -> None:
    assert list(iter_lines([b"a\nb", b"c\n", b"d"])) == [b"a", b"bc", b"d"]
