"""Reads tar archives forward only, in bounded memory, whoever wrote them.

Understands v7, ustar, PAX and GNU long names; numbers in octal and base 256. The standard library's parser is not used
because it reads a header of any size into memory and searches it with a quadratic regular expression; an image
comes from strangers.

What always holds: no header is larger than `HEADER_LIMIT`, those for all entries together no larger than `GLOBALS_LIMIT`, no size is
negative, and an archive that ends in mid-entry is
an error, never a shorter archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hivelet.errors import InvalidParameter

BLOCK = 512
HEADER_LIMIT = 1 << 20
GLOBALS_LIMIT = 1 << 16
_CHUNK = 1 << 18
_ZEROS = bytes(BLOCK)
_REGULAR = b"0\0" + b"7"
_XATTR = "SCHILY.xattr."
_SPARSE = "GNU.sparse."
_KEYS = {"path", "linkpath", "size", "uid", "gid", "mtime"}


class Reader(Protocol):
    """A source of bytes: at most `size` of them, and none only at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        ...


@runtime_checkable
class Skippable(Protocol):
    """A source that can pass over bytes without reading them."""

    def skip(self, size: int) -> int:
        """Pass over at most `size` bytes; returns how many, 0 only at the end."""
        ...


class BrokenArchive(InvalidParameter):
    """The bytes are not the archive they should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `kind` is tar's type: "0" file, "1" hard link, "2" symlink, "3" "4" devices, "5" directory, "6" fifo."""

    name: str
    kind: str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    link: str = ""
    major: int = 0
    minor: int = 0
    xattrs: dict[str, bytes] = field(default_factory=dict)
    offset: int = 0
    """Where the entry's content begins, in bytes from the archive's start."""


class TarStream:
    """Iterates over the entries of a tar; `content` takes that of the present one.

    All bytes that are not taken as content are given to `record`, where there is one.
    """

    def __init__(self, source: Reader, record: Callable[[bytes], None] | None = None) -> None:
        self._source = source
        self._record = record
        self._skipping = source if isinstance(source, Skippable) and record is None else None
        self._at = 0
        self._left = 0
        self._padding = 0
        self._globals: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[Entry]:
        """All entries; what was not read of an entry is passed over."""
        while (entry := self._next()) is not None:
            self._left = entry.size
            self._padding = -entry.size % BLOCK
            yield entry
            self._skip(self._left)
            self._skip(self._padding, may_be_the_end=True)

    def content(self) -> Iterator[bytes]:
        """The present entry's content, in pieces."""
        while self._left:
            piece = self._source.read(min(self._left, _CHUNK))
            if not piece:
                raise BrokenArchive("unexpected EOF: the tar archive ends within a file")
            self._at += len(piece)
            self._left -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read what follows the archive's end, as it counts for the digest."""
        while self._take(_CHUNK):
            pass

    def _next(self) -> Entry | None:
        own: dict[str, bytes] = {}
        budget = HEADER_LIMIT
        while True:
            block = self._block()
            if block is None or block == _ZEROS:
                return None
            _check_sum(block)
            kind = block[156:157]
            if kind not in b"xgLK" or kind == b"\0":
                return _build_entry(block, self._globals | own if self._globals else own, self._at)
            size = _number(block[124:136], "size")
            budget -= size + BLOCK
            if budget < 0:
                raise BrokenArchive(
                    f"tar header at byte {self._at - BLOCK} is larger than {HEADER_LIMIT} bytes"
                )
            data = self._exactly(size + -size % BLOCK)[:size]
            if kind == b"x":
                own.update(_parse_pax(data))
            elif kind == b"g":
                self._hold_for_all(_parse_pax(data))
            else:
                own["path" if kind == b"L" else "linkpath"] = data.split(b"\0", 1)[0]

    def _hold_for_all(self, records: dict[str, bytes]) -> None:
        self._globals.update(records)
        if sum(len(key) + len(value) for key, value in self._globals.items()) > GLOBALS_LIMIT:
            raise BrokenArchive(
                f"tar headers for all entries before byte {self._at} are larger than {GLOBALS_LIMIT} bytes"
            )

    def _block(self) -> bytes | None:
        first = self._take(BLOCK)
        if not first:
            return None
        return first if len(first) == BLOCK else first + self._exactly(BLOCK - len(first))

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            piece = self._take(size)
            if not piece:
                raise BrokenArchive("unexpected EOF: the tar archive ends within a header")
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        self._at += len(data)
        if self._record is not None:
            self._record(data)
        return data

    def _skip(self, size: int, *, may_be_the_end: bool = False) -> None:
        """Pass over bytes. Where the archive may end instead, as that of `docker build -f -` does, it ends there or not at all."""
        whole = size
        while size:
            if self._skipping is not None:
                step = self._skipping.skip(size)
                self._at += step
            else:
                step = len(self._take(min(size, _CHUNK)))
            if not step:
                if may_be_the_end and size == whole:
                    return
                raise BrokenArchive("unexpected EOF: the tar archive ends within a file")
            size -= step


def _check_sum(block: bytes) -> None:
    stated = _number(block[148:156], "checksum")
    plain = sum(block) - sum(block[148:156]) + 8 * 0x20
    if stated == plain:
        return
    # Old tars summed signed bytes.
    signed = plain - 256 * sum(1 for b in block[:148] + block[156:] if b > 127)
    if stated != signed:
        raise BrokenArchive("invalid tar header: its checksum does not match")


def _build_entry(block: bytes, pax: dict[str, bytes], at: int) -> Entry:
    name = _text(pax["path"]) if "path" in pax else _plain_name(block)
    if any(key.startswith(_SPARSE) for key in pax) or block[156:157] == b"S":
        raise BrokenArchive(f"{name}: sparse tar entries are not supported in image layers")
    kind = block[156:157]
    if kind in _REGULAR:
        # In the oldest format a directory is a file whose name ends in a slash.
        kind = b"5" if name.endswith("/") and kind != b"7" else b"0"
    size = _pax_number(pax, "size", block[124:136])
    if kind in b"123456":
        size = 0 if kind in b"12" or size < 0 else size
    if size < 0:
        raise BrokenArchive(f"{name}: negative size in its tar header")
    return Entry(
        name=name,
        kind=kind.decode("latin-1"),
        mode=_number(block[100:108], "mode") & 0o7777,
        uid=_owner(name, _pax_number(pax, "uid", block[108:116])),
        gid=_owner(name, _pax_number(pax, "gid", block[116:124])),
        size=size,
        mtime_ns=_mtime(pax, block),
        link=_text(pax["linkpath"]) if "linkpath" in pax else _text(_c_string(block[157:257])),
        major=_number(block[329:337], "device") if kind in b"34" else 0,
        minor=_number(block[337:345], "device") if kind in b"34" else 0,
        xattrs={k.removeprefix(_XATTR): v for k, v in pax.items() if k.startswith(_XATTR)},
        offset=at,
    )


def _plain_name(block: bytes) -> str:
    name = _c_string(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        return _text(_c_string(block[345:500]) + b"/" + name)
    return _text(name)


def _parse_pax(data: bytes) -> dict[str, bytes]:
    """The records that mean something here."""
    records: dict[str, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + 12)
        length = data[at:space]
        if space < 0 or not length.isdigit():
            raise BrokenArchive("invalid tar header: a PAX record has no length")
        end = at + int(length)
        record = data[space + 1 : end]
        key, equals, value = record.partition(b"=")
        if end > len(data) or not record.endswith(b"\n") or not equals:
            raise BrokenArchive("invalid tar header: a PAX record is malformed")
        name = _text(key)
        if name in _KEYS or name.startswith((_XATTR, _SPARSE)):
            records[name] = value[:-1]
        at = end
    return records


def _pax_number(pax: dict[str, bytes], key: str, raw: bytes) -> int:
    value = pax.get(key)
    if value is None:
        return _number(raw, key)
    if not value.isdigit() or len(value) > 20:
        raise BrokenArchive(f"invalid tar header: {key} {_text(value[:40])!r} is not a number")
    return int(value)


def _number(raw: bytes, what: str) -> int:
    if raw[:1] in b"\x80\xff" and raw[:1]:
        value = int.from_bytes(raw[1:], "big")
        return value if raw[0] == 0x80 else value - (1 << 8 * (len(raw) - 1))
    digits = raw.split(b"\0", 1)[0].strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError as error:
        raise BrokenArchive(f"invalid tar header: {what} {raw!r} is not a number") from error


def _owner(name: str, number: int) -> int:
    # The kernel reads 2^32 - 1 as "leave it".
    if not 0 <= number < 0xFFFFFFFF:
        raise BrokenArchive(f"{name}: owner {number} is out of range")
    return number


def _mtime(pax: dict[str, bytes], block: bytes) -> int:
    stated = pax.get("mtime")
    if stated is None:
        return _clamp(_number(block[136:148], "mtime") * 1_000_000_000)
    whole, _, fraction = stated.partition(b".")
    negative = whole.startswith(b"-")
    if not whole.lstrip(b"-").isdigit() or len(whole) > 20 or (fraction and not fraction.isdigit()):
        raise BrokenArchive(f"invalid tar header: mtime {_text(stated[:40])!r} is not a time")
    nanoseconds = int(fraction[:9].ljust(9, b"0") or b"0")
    return _clamp(int(whole) * 1_000_000_000 + (-nanoseconds if negative else nanoseconds))


def _clamp(nanoseconds: int) -> int:
    """Within what utimensat takes; the file system clamps further."""
    return max(-(1 << 62), min(nanoseconds, 1 << 62))


def _c_string(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
