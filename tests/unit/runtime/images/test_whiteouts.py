import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.runtime.images.tarstream import BrokenArchive
from hivelet.runtime.images.whiteouts import Meaning, Place, parse_place


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("etc/passwd", Place(Meaning.ADD, "etc", "passwd")),
        ("./etc/", Place(Meaning.ADD, "", "etc")),
        ("/etc/passwd", Place(Meaning.ADD, "etc", "passwd")),
        ("./", Place(Meaning.ADD, "", "")),
        ("a/.wh.b", Place(Meaning.REMOVE, "a", "b")),
        (".wh.b", Place(Meaning.REMOVE, "", "b")),
        (".wh.....", Place(Meaning.REMOVE, "", "....")),
        ("a/.wh..wh..opq", Place(Meaning.OPAQUE, "a", "")),
        (".wh..wh..opq", Place(Meaning.OPAQUE, "", "")),
        (".wh..wh.plnk/1.2", Place(Meaning.NOTHING, "", "")),
        (".wh..wh.aufs", Place(Meaning.NOTHING, "", "")),
        ("a.wh.b", Place(Meaning.ADD, "", "a.wh.b")),
    ],
)
def test_names_have_meanings(path, place):
    assert parse_place(path) == place


@pytest.mark.parametrize(
    "path",
    [
        *("..", "../x", "a/../b", "a/..", "/../x"),
        *(".wh.", ".wh..", ".wh...", "a/.wh..."),
        *("n" * 256, "/".join(["d" * 200] * 30)),
    ],
)
def test_names_that_lead_out_are_refused(path):
    with pytest.raises(BrokenArchive):
        parse_place(path)


@given(st.text(alphabet="ab./w h", max_size=30))
def test_no_place_is_outside(path):
    try:
        place = parse_place(path)
    except BrokenArchive:
        return
    assert ".." not in f"{place.parent}/{place.name}".split("/")
    assert "/" not in place.name
    assert not place.parent.startswith("/")
