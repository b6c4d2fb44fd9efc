import bz2
import gzip
import hashlib
import io
import lzma

import pytest
import zstandard

from hivelet.runtime.images.compression import BufferedBytes, HashedReader, open_decompressed
from hivelet.runtime.images.tarstream import BrokenArchive

DATA = b"some text that compresses " * 5000
COMPRESSORS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}
ALL = pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)


def read_all(data, size=1000):
    reader = open_decompressed(io.BytesIO(data))
    pieces = []
    while piece := reader.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    return b"".join(pieces)


@ALL
@pytest.mark.parametrize("size", [997, 1 << 20])
def test_what_was_compressed_comes_back(compress, size):
    assert read_all(compress(DATA), size) == DATA


@ALL
def test_several_members_are_one_stream(compress):
    assert read_all(compress(DATA) + compress(b"more")) == DATA + b"more"


@ALL
def test_nothing_stays_nothing(compress):
    assert read_all(compress(b"")) == b""


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])
def test_a_cut_stream_is_an_error(name):
    with pytest.raises(BrokenArchive, match="cut off"):
        read_all(COMPRESSORS[name](DATA)[:-20])


@ALL
def test_a_damaged_stream_is_an_error_or_has_another_digest(compress):
    data = bytearray(compress(DATA))
    data[len(data) // 2] ^= 0xFF
    try:
        assert read_all(bytes(data)) != DATA
    except BrokenArchive:
        return


def test_zeros_after_gzip_are_padding_and_rubbish_is_not():
    assert read_all(COMPRESSORS["gzip"](DATA) + bytes(3000)) == DATA
    with pytest.raises(BrokenArchive):
        read_all(COMPRESSORS["gzip"](DATA) + b"rubbish")


@pytest.mark.parametrize("data", [b"", b"x", b"plain text, plainly"])
def test_plain_bytes_pass(data):
    assert read_all(data) == data


def test_a_huge_zstd_window_is_refused():
    params = zstandard.ZstdCompressionParameters(window_log=29)
    stream = zstandard.ZstdCompressor(compression_params=params).compressobj()
    data = stream.compress(bytes(1000)) + stream.flush()
    with pytest.raises(BrokenArchive):
        read_all(data)


class Dribble:
    """A source that gives one byte more each time."""

    def __init__(self, data):
        self._data = io.BytesIO(data)
        self._step = 0

    def read(self, size):
        self._step += 1
        return self._data.read(min(size, self._step))


def test_buffered_reads_are_exact():
    reader = BufferedBytes(Dribble(DATA[:2000]))
    assert reader.read(700) == DATA[:700]
    assert reader.read(0) == b""
    assert reader.read(1299) == DATA[700:1999]
    assert reader.read(100) == DATA[1999:2000]
    assert reader.read(100) == b""


def test_hashes_are_of_what_was_read():
    reader = HashedReader(io.BytesIO(b"abc"))
    reader.read(2)
    reader.read(5)
    assert reader.digest == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"
    assert reader.count == 3
