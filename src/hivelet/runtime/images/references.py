"""Image references as Docker reads and writes them. Pure.

`myweb` and `docker.io/library/myweb:latest` are the same image: `parse_reference` gives the full form, and
`Reference.familiar` the short one. `parse_any` also accepts image ids, whole or shortened, as a lookup does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hivelet.errors import InvalidParameter

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL = "library/"
_NAME_LIMIT = 255

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")
_SHORT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")
_ALGORITHM = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*")
_HEX = re.compile(r"[0-9a-f]+")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class InvalidReference(InvalidParameter):
    """A text that is no image reference; the message says why."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"invalid reference format: {text!r}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A repository, with a tag, a digest, both or neither. `domain` and `path` are in their full form."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The repository in full: `docker.io/library/myweb`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: `myweb`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        short = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in short else short

    @property
    def familiar(self) -> str:
        """The whole reference as people write it: `myweb:latest`."""
        return self.familiar_name + self._suffix

    @property
    def canonical(self) -> str:
        """The whole reference in full: `docker.io/library/myweb:latest`."""
        return self.name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def with_default_tag(self) -> Reference:
        """The same with tag `latest`, where it has neither a tag nor a digest."""
        if self.tag or self.digest:
            return self
        return Reference(domain=self.domain, path=self.path, tag=DEFAULT_TAG)

    def with_digest(self, digest: str) -> Reference:
        """The same repository, at exactly this digest and without a tag."""
        return Reference(domain=self.domain, path=self.path, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What a text given to `inspect`, `rm` or `create` may mean: a name, an id, or either.

    `reference` has its tag filled in; `id_prefix` is hexadecimal, without `sha256:`.
    """

    text: str
    reference: Reference | None = None
    id_prefix: str = ""

    @property
    def familiar(self) -> str:
        """The text as Docker repeats it in "No such image: …"."""
        return self.reference.familiar if self.reference is not None else self.text


def parse_reference(text: str) -> Reference:
    """Read a reference; the tag is not filled in.

    Raises:
        InvalidReference: with what is wrong.
    """
    if not text:
        raise InvalidReference(text, "it is empty")
    if _IDENTIFIER.fullmatch(text):
        raise InvalidParameter(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    rest, at, digest = text.partition("@")
    if at:
        parse_digest(digest, within=text)
    domain, remainder = _split_domain(rest)
    path, tag = _split_tag(remainder)
    if tag is not None and not _TAG.fullmatch(tag):
        raise InvalidReference(text, f"{tag!r} is not a tag (letters, digits, _ . -, at most 128)")
    if not _DOMAIN.fullmatch(domain):
        raise InvalidReference(text, f"{domain!r} is not a registry's host name")
    _check_path(text, path)
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _OFFICIAL + path
    reference = Reference(domain=domain, path=path, tag=tag or "", digest=digest)
    if len(reference.name) > _NAME_LIMIT:
        raise InvalidReference(text, "repository name must not be more than 255 characters")
    return reference


def parse_tagged(text: str) -> Reference:
    """Read a reference that shall name an image in the store: tag `latest` is filled in, a digest refused."""
    reference = parse_reference(text)
    if reference.digest:
        raise InvalidParameter(f"refusing to create a tag with a digest reference: {text!r}")
    return reference.with_default_tag()


def parse_any(text: str) -> Lookup:
    """Read what names an image in a lookup: a reference, an id (with or without `sha256:`), or a short id."""
    short = _SHORT_ID.fullmatch(text)
    if short is not None and (text.startswith("sha256:") or len(short[1]) == 64):
        return Lookup(text=text, id_prefix=short[1])
    reference = parse_reference(text).with_default_tag()
    return Lookup(text=text, reference=reference, id_prefix=short[1] if short else "")


def parse_registry(address: str) -> str:
    """The registry that an address names: "" and Docker Hub's old addresses are `docker.io`."""
    host = address.removeprefix("https://").removeprefix("http://").split("/")[0]
    if host in {"", _LEGACY_DOMAIN, "registry-1.docker.io"}:
        return DEFAULT_DOMAIN
    if not _DOMAIN.fullmatch(host):
        raise InvalidParameter(f"{address!r} is not a registry's address")
    return host


def parse_digest(text: str, *, within: str = "") -> tuple[str, str]:
    """Split a digest into algorithm and hexadecimal value, and check both."""
    algorithm, colon, value = text.partition(":")
    if not colon or not _ALGORITHM.fullmatch(algorithm) or not _HEX.fullmatch(value):
        raise InvalidReference(within or text, f"{text!r} is not a digest (sha256:<64 hex digits>)")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise InvalidReference(within or text, f"unsupported digest algorithm {algorithm!r}")
    if len(value) != length:
        raise InvalidReference(
            within or text,
            f"invalid checksum digest length: {len(value)}, {algorithm} has {length}",
        )
    return algorithm, value


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, remainder = text.partition("/")
    is_host = "." in first or ":" in first or first == "localhost" or first.lower() != first
    if not slash or not is_host:
        return DEFAULT_DOMAIN, text
    return (DEFAULT_DOMAIN if first == _LEGACY_DOMAIN else first), remainder


def _split_tag(remainder: str) -> tuple[str, str | None]:
    path, colon, tag = remainder.partition(":")
    return path, tag if colon else None


def _check_path(text: str, path: str) -> None:
    if path.lower() != path:
        raise InvalidReference(text, f"repository name ({path}) must be lowercase")
    for component in path.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise InvalidReference(
                text,
                f"{component!r} is not a repository name"
                " (lowercase letters and digits, separated by . _ __ or -)",
            )
