"""Any sequence of odd entries is unpacked or refused, and never touches what is outside."""

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edge.images.tars import entry, tar

from hivelet.runtime.images.recipes import RecipeMissing, rebuild_layer
from hivelet.runtime.images.tarstream import BrokenArchive
from hivelet.runtime.images.unpack import unpack_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

part = st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", ".wh.b", "out"])
path = st.lists(part, max_size=4).map("/".join)
target = st.one_of(
    path, path.map(lambda name: f"/{name}"), st.just("OUTSIDE"), st.just("../../out")
)
kind = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)


def snapshot(place):
    return [
        (p, p.lstat().st_ino, p.lstat().st_mode, p.lstat().st_mtime_ns, p.lstat().st_nlink)
        for p in [place, *sorted(place.rglob("*"))]
    ]


@settings(max_examples=150)
@given(st.lists(st.tuples(path, kind, target, st.binary(max_size=5)), max_size=8))
def test_nothing_outside_is_ever_touched(items):
    place = Path(tempfile.mkdtemp())
    try:
        outside, layer = place / "out", place / "layer"
        (outside / "a").mkdir(parents=True)
        (outside / "b").write_text("secret")
        diff = layer / "diff"
        diff.mkdir(parents=True)
        entries = [
            entry(
                name or ".",
                data if form == tarfile.REGTYPE else b"",
                type=form,
                linkname=link.replace("OUTSIDE", str(outside)),
                mode=0o777,
            )
            for name, form, link, data in items
        ]
        before = snapshot(outside)
        try:
            unpacked = unpack_layer(io.BytesIO(tar(*entries)), diff)
        except BrokenArchive:
            unpacked = None
        assert snapshot(outside) == before
        assert sorted(os.listdir(place)) == ["layer", "out"]
        if unpacked is not None:
            try:
                rebuilt = b"".join(rebuild_layer(layer / "recipe", diff, unpacked.diff_id))
            except RecipeMissing:
                return
            assert rebuilt == tar(*entries)
    finally:
        shutil.rmtree(place)
