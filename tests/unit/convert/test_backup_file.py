"""The file of a backup: what is packed comes out, and nothing that was changed does."""

import random
import tarfile
from io import BytesIO

import msgspec
import pytest

from hivelet.convert.backup import (
    ENGINE,
    STATE,
    EngineRow,
    pack_backup,
    pack_engine,
    unpack_backup,
    unpack_engine,
)
from hivelet.errors import InvalidParameter

FILES = {
    STATE: bytes(range(256)) * 40,
    ENGINE: pack_engine([EngineRow("volume", "data", {"A": 1})]),
}


def packed():
    return pack_backup(FILES, version="1.2.3", created="2026-01-02T03:04:05+00:00")


def test_what_is_packed_comes_out():
    manifest, files = unpack_backup(packed())
    assert (manifest.version, manifest.created) == ("1.2.3", "2026-01-02T03:04:05+00:00")
    assert files == FILES
    assert unpack_engine(files[ENGINE]) == [EngineRow("volume", "data", {"A": 1})]


def test_a_changed_or_cut_backup_never_gives_other_content():
    archive, dice = packed(), random.Random(7)
    refused = 0
    for _ in range(300):
        hurt = bytearray(archive)
        hurt[dice.randrange(len(hurt))] ^= 1 << dice.randrange(8)
        try:
            _, files = unpack_backup(bytes(hurt))
        except InvalidParameter:
            refused += 1
        else:
            assert files == FILES  # padding, or a time that nobody reads
    assert refused > 100
    for cut in (0, 1, 511, 700, 2000, len(archive) // 2):
        with pytest.raises(InvalidParameter):
            unpack_backup(archive[:cut])


def test_a_later_backup_is_refused_with_its_version():
    manifest = {"format": 9, "version": "7.0", "created": "", "files": {}}
    raw, buffer = msgspec.json.encode(manifest), BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("hivelet-backup.json")
        member.size = len(raw)
        archive.addfile(member, BytesIO(raw))
    with pytest.raises(InvalidParameter, match=r"has format 9.*install hivelet 7\.0 or a later"):
        unpack_backup(buffer.getvalue())


def test_a_backup_without_a_state_is_damaged():
    with pytest.raises(InvalidParameter, match="damaged"):
        unpack_backup(pack_backup({"x": b""}, version="1", created=""))
