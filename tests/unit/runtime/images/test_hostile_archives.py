"""Archives, manifests and configs that somebody wrote to harm: each is read or refused in a sentence, in bounded memory."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import lzma
import tarfile
import tracemalloc
import zlib
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.archive import read_images
from hivelet.runtime.images.blobs import TarBlobs
from hivelet.runtime.images.compression import open_decompressed
from hivelet.runtime.images.directory_times import DirectoryTimes
from hivelet.runtime.images.platforms import Platform
from hivelet.runtime.images.records import parse_image
from hivelet.runtime.images.tarstream import GLOBALS_LIMIT, BrokenArchive, TarStream

AMD64 = Platform(os="linux", architecture="amd64")
ODD: list[Any] = [
    None, True, 0, -1, 10**30, 1.5e300, "", "x", "a\0b", "..", "../../etc/passwd", "/", "a" * 5000, "\udcff", "sha256:", "sha256:" + "0" * 64, "md5:x",
    [], {}, [None], {"": None}, [[]], [{}], ["a", 1], {"a": {"a": {}}}, "9" * 5000, "2024-99-99T99:99:99Z", "linux", "1000000h",
]  # fmt: skip
CONFIG: dict[str, Any] = {
    "architecture": "amd64", "os": "linux", "variant": "", "created": "2024-01-01T00:00:00Z", "author": "a",
    "config": {"Cmd": ["a"], "Entrypoint": ["b"], "Env": ["A=b"], "User": "1:1", "WorkingDir": "/x", "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}},
               "Volumes": {"/v": {}}, "StopSignal": "TERM", "StopTimeout": 3, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1, "Retries": 3}, "OnBuild": []},
    "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "x", "empty_layer": True}],
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
}  # fmt: skip


class Files:
    """An archive's files, in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def has(self, name: str) -> bool:
        return name in self.files

    def open(self, name: str) -> io.BytesIO:
        if name not in self.files:
            raise BrokenArchive(f"the archive has no file {name!r}")
        return io.BytesIO(self.files[name])

    def close(self) -> None:
        pass


def encode(data: Any) -> bytes:
    return json.dumps(data).encode()


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value in a document."""
    inner = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [at, *(way for key, value in inner for way in places(value, (*at, key)))]  # fmt: skip


def odd(data: Any) -> st.SearchStrategy[Any]:
    """The document with one or two of its values replaced by odd ones."""

    def change(ways: list[tuple[tuple[Any, ...], Any]]) -> Any:
        changed = copy.deepcopy(data)
        for way, value in ways:
            if not way:
                return value
            inner = changed
            with suppress(TypeError, KeyError, IndexError):
                for key in way[:-1]:
                    inner = inner[key]
                inner[way[-1]] = value
        return changed

    one = st.tuples(st.sampled_from(places(data)), st.sampled_from(ODD).map(copy.deepcopy))
    return st.lists(one, min_size=1, max_size=2).map(change)


@contextmanager
def memory(limit: int):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@settings(max_examples=300, deadline=None)
@given(odd(CONFIG))
def test_any_config_is_read_or_refused(config: Any) -> None:
    with suppress(InvalidParameter):
        record = parse_image(encode(config))
        assert record.created_at.year
        assert record.repo_tags == []


MANIFEST = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]


@settings(max_examples=150, deadline=None)
@given(odd(MANIFEST))
def test_any_manifest_of_docker_save_is_read_or_refused(manifest: Any) -> None:
    files = Files({"manifest.json": encode(manifest), "c.json": encode(CONFIG)})
    with suppress(InvalidParameter):
        assert isinstance(read_images(files, AMD64), list)


CONFIG_DIGEST = digest(encode(CONFIG))
OCI = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"digest": CONFIG_DIGEST, "size": 1},
    "layers": [{"digest": "sha256:" + "2" * 64, "size": 1}],
}
INDEX = {
    "schemaVersion": 2,
    "manifests": [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "MANIFEST",
            "platform": {"os": "linux", "architecture": "amd64", "variant": ""},
            "annotations": {"org.opencontainers.image.ref.name": "a:1"},
        }
    ],
}


@settings(max_examples=300, deadline=None)
@given(odd(OCI) | st.just(OCI), odd(INDEX) | st.just(INDEX), odd(INDEX) | st.none())
def test_any_oci_layout_is_read_or_refused(manifest: Any, index: Any, outer: Any) -> None:
    files = {f"blobs/{CONFIG_DIGEST.replace(':', '/')}": encode(CONFIG)}

    def put(raw: bytes) -> str:
        files[f"blobs/{digest(raw).replace(':', '/')}"] = raw
        return digest(raw)

    files["index.json"] = encode(index).replace(b"MANIFEST", put(encode(manifest)).encode())
    if outer is not None:
        text = encode(outer).replace(b"image.manifest", b"image.index")
        files["index.json"] = text.replace(b"MANIFEST", put(files["index.json"]).encode())
    with suppress(InvalidParameter):
        assert read_images(Files(files), AMD64)
    with suppress(InvalidParameter):
        directory = {**files, "version": b"", "manifest.json": encode(manifest)}
        assert read_images(Files(directory), AMD64) or manifest == []


def test_an_index_that_holds_itself_ends() -> None:
    """No digest can be that of what holds it, so the longest loop is a chain."""
    inner = encode(INDEX)
    files = {}
    for _ in range(50):
        files[f"blobs/{digest(inner).replace(':', '/')}"] = inner
        inner = encode(INDEX).replace(b"image.manifest", b"image.index").replace(b"MANIFEST", digest(inner).encode())  # fmt: skip
    with pytest.raises(InvalidParameter, match="too deeply"):
        read_images(Files({**files, "index.json": inner}), AMD64)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":[' + b"[]," * 1_000_000 + b"[]]}",
        b'{"a":[' + b"1," * 1_900_000 + b"1]}",
        b'{"a":"' + b"x" * (64 << 20) + b'"}',
    ],
    ids=["lists", "numbers", "one text"],
)
@pytest.mark.parametrize("name", ["manifest.json", "index.json", "c.json"])
def test_large_documents_take_little_memory(raw: bytes, name: str) -> None:
    files = Files({"manifest.json": encode(MANIFEST), "c.json": encode(CONFIG), name: raw})
    if name == "index.json":
        del files.files["manifest.json"]
    with memory(24 << 20), pytest.raises(InvalidParameter):
        read_images(files, AMD64)


def test_one_config_a_thousand_times_is_refused() -> None:
    large = encode({**CONFIG, "comment": "x" * (3 << 20)})
    files = Files({"c.json": large, "manifest.json": encode(MANIFEST * 5000)})
    with memory(64 << 20), pytest.raises(BrokenArchive, match="more than 1000 images"):
        read_images(files, AMD64)


def pax(kind: bytes, data: bytes) -> bytes:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, len(data)
    return entry.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def record(key: str, value: str) -> bytes:
    text = f" {key}={value}\n"
    length = len(text) + len(str(len(text) + 2))
    return f"{length}{text}".encode()


def with_headers_for_all(*records: bytes) -> io.BytesIO:
    return io.BytesIO(b"".join(pax(b"g", each) + pax(b"0", b"") for each in records))


def test_headers_for_all_entries_are_bounded() -> None:
    records = [record(f"SCHILY.xattr.user.{number}", "x" * 5000) for number in range(1000)]
    archive = with_headers_for_all(*records)
    with memory(1 << 20), pytest.raises(BrokenArchive, match=f"larger than {GLOBALS_LIMIT} bytes"):
        list(TarStream(archive))


def test_headers_that_mean_nothing_are_forgotten() -> None:
    records = [record(f"comment{number}", "x" * 5000) for number in range(1000)]
    archive = with_headers_for_all(*records)
    with memory(1 << 20):
        assert sum(1 for _ in TarStream(archive)) == 1000


def test_a_header_of_a_gibibyte_is_not_read() -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = b"x", 1 << 30
    with pytest.raises(BrokenArchive, match="is larger than"):
        list(TarStream(io.BytesIO(entry.tobuf(tarfile.USTAR_FORMAT))))


def test_names_of_an_archive_are_bounded(tmp_path) -> None:
    with tarfile.open(tmp_path / "t", "w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(30):
            archive.addfile(tarfile.TarInfo(f"{number}{'x' * 1_000_000}"))
    with pytest.raises(BrokenArchive, match="MiB of names"):
        TarBlobs(tmp_path / "t")


def wide_xz() -> bytes:
    """An xz stream whose header asks for a window of 1.5 GiB."""
    packed = bytearray(lzma.compress(b"x" * 100))
    size = (packed[12] + 1) * 4
    packed[16] = 37
    packed[12 + size - 4 : 12 + size] = zlib.crc32(packed[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(packed)


def wide_zstd() -> bytes:
    """A zstd frame whose header asks for a window of 128 MiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packed.compress(b"x" * 100) + packed.flush()


@pytest.mark.parametrize("compressed", [wide_xz(), wide_zstd()], ids=["xz", "zstd"])
def test_a_window_of_gibibytes_is_refused(compressed: bytes) -> None:
    reader = open_decompressed(io.BytesIO(compressed))
    with memory(24 << 20), pytest.raises(BrokenArchive, match=r"xz|zstd"):
        reader.read(1 << 16)


def test_the_strongest_xz_is_read() -> None:
    packed = lzma.compress(bytes(1 << 20), preset=9)
    reader = open_decompressed(io.BytesIO(packed))
    assert sum(len(piece) for piece in iter(lambda: reader.read(1 << 16), b"")) == 1 << 20


def test_times_of_directories_are_kept_on_disk(tmp_path) -> None:
    with memory(2 << 20):
        times = DirectoryTimes(tmp_path)
        for number in range(20_000):
            times.note(f"{number}/{'x' * 200}", number - 10)
        times.note("\udcff", 7)
        assert sum(1 for _ in times) == 20_001
    assert list(times)[-1] == ("\udcff", 7)
    times.close()
