import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivelet.runtime.images.tarstream import BLOCK, HEADER_LIMIT, BrokenArchive, TarStream


def tar(*entries, form=tarfile.PAX_FORMAT, **kwargs):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, **kwargs) as archive:
        for info, data in entries:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def info(name, **changes):
    entry = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(entry, key, value)
    return entry


def read(data):
    stream = TarStream(io.BytesIO(data))
    return [(entry, b"".join(stream.content())) for entry in stream]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_formats_are_read(form):
    name = "d" * 80 + "/" + "f" * 60
    data = tar(
        (info(name, mode=0o4755, uid=7, gid=8, mtime=1700000000), b"x" * 1000),
        (info("dir", type=tarfile.DIRTYPE), b""),
        (info("l", type=tarfile.SYMTYPE, linkname="a/b"), b""),
        (info("c", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
        form=form,
    )
    (file, content), (directory, _), (link, _), (device, _) = read(data)
    assert (file.name, file.mode, file.uid, file.gid) == (name, 0o4755, 7, 8)
    assert file.mtime_ns == 1700000000 * 10**9
    assert content == b"x" * 1000
    assert directory.kind == "5"
    assert (link.kind, link.link) == ("2", "a/b")
    assert (device.kind, device.major, device.minor) == ("3", 1, 3)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_read(form):
    name, link = "ü" * 200, "t" * 300
    data = tar((info(name, type=tarfile.SYMTYPE, linkname=link), b""), form=form)
    assert [(e.name, e.link) for e, _ in read(data)] == [(name, link)]


def test_pax_has_fractions_and_xattrs():
    capability = b"\1\0\0\2\n=\xff"
    entry = info("f", mtime=5)
    entry.pax_headers = {
        "mtime": "5.25",
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"),
    }
    data = tar((entry, b""), errors="surrogateescape")
    ((found, _),) = read(data)
    assert found.mtime_ns == 5_250_000_000
    assert found.xattrs == {"security.capability": capability}


def test_global_headers_hold_for_all():
    data = tar((info("a"), b""), (info("b"), b""), pax_headers={"uid": "42"})
    assert [entry.uid for entry, _ in read(data)] == [42, 42]


def test_content_may_be_passed_over():
    data = tar((info("a"), b"1" * 5000), (info("b"), b"2"))
    assert [entry.name for entry in TarStream(io.BytesIO(data))] == ["a", "b"]


def test_an_empty_archive_has_no_entries():
    assert read(b"") == []
    assert read(bytes(1024)) == []


@pytest.mark.parametrize("cut", [100, BLOCK + 1, BLOCK + 700, BLOCK + 5001])
def test_a_cut_archive_is_an_error(cut):
    data = tar((info("a"), b"1" * 5000), form=tarfile.USTAR_FORMAT)
    with pytest.raises(BrokenArchive, match="unexpected EOF"):
        read(data[:cut])


def test_an_archive_may_end_with_its_last_files_content():
    """As the one of `docker build -f - .` does, where the padding to a whole block and the end's mark are left out."""
    data = tar((info("a"), b"1" * 5000), form=tarfile.USTAR_FORMAT)[: BLOCK + 5000]
    [(entry, content)] = read(data)
    assert (entry.name, content) == ("a", b"1" * 5000)
    assert [entry.name for entry in TarStream(io.BytesIO(data))] == ["a"]


def test_rubbish_is_an_error():
    with pytest.raises(BrokenArchive, match="checksum"):
        read(b"GIF89a" + b"x" * 1000)


def header(**fields):
    """One raw header block with fields overwritten, and a checksum that fits."""
    block = bytearray(tar((info("a"), b""), form=tarfile.USTAR_FORMAT)[:BLOCK])
    places = {"name": 0, "uid": 108, "size": 124, "mtime": 136, "type": 156}
    for key, value in fields.items():
        block[places[key] : places[key] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(type=b"x", size=b"\x80" + bytes(6) + b"\xff\xff\xff\xff\xff"), "larger than"),
        (header(type=b"L", size=b"77777777777\0"), "larger than"),
        (header(size=b"\xff" * 12), "negative size"),
        (header(size=b"zzz\0"), "not a number"),
        (header(uid=b"\x80\0\0\xff\xff\xff\xff\xff"), "out of range"),
        (header(type=b"S"), "sparse"),
    ],
)
def test_hostile_headers_are_refused(data, message):
    with pytest.raises(BrokenArchive, match=message):
        read(data + bytes(1024))


@pytest.mark.parametrize(
    "record",
    [b"99 path=x\n", b"0 path=x\n", b"path=x\n", b"8 path=x", b"11111111111111 a=b\n", b"7 path\n"],
)
def test_hostile_pax_records_are_refused(record):
    block = header(type=b"x", size=b"%011o\0" % len(record))
    with pytest.raises(BrokenArchive):
        read(block + record.ljust(BLOCK, b"\0") + header() + bytes(1024))


def test_many_headers_for_one_entry_are_too_many():
    long_name = header(type=b"L", size=b"00000000004\0") + b"abc\0".ljust(BLOCK, b"\0")
    with pytest.raises(BrokenArchive, match="larger than"):
        read(long_name * (HEADER_LIMIT // BLOCK) + header() + bytes(1024))


@settings(max_examples=60)
@given(st.binary(max_size=40), st.integers(0, BLOCK - 1), st.binary(min_size=1, max_size=12))
def test_any_damage_is_read_or_refused(content, at, damage):
    data = bytearray(tar((info("a/b"), content), form=tarfile.GNU_FORMAT))
    data[at : at + len(damage)] = damage
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:BLOCK])
    try:
        read(bytes(data))
    except BrokenArchive:
        return
