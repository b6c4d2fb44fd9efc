"""What skopeo is told, and what its failures mean. Pure.

Images are copied to skopeo's `dir:` form, the only one that keeps manifest, config and blobs as they are in the registry:
an image's id and digest stay those that everybody else sees.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import msgspec

from hivelet.errors import HiveletError, NotFound, NotImplemented, System, Unauthorized, Unavailable
from hivelet.kit.process import TIMED_OUT
from hivelet.objects.image import RegistryAuth
from hivelet.runtime.images.platforms import Platform
from hivelet.runtime.images.references import Reference
from hivelet.runtime.images.registries import InsecureRegistries

_LAST_WORDS = re.compile(r'msg="((?:[^"\\]|\\.)*)"')
_PREFIX = re.compile(r'^(?:Error parsing image name "[^"]*"|initializing source \S+): ')
_CRASH = re.compile(r"^panic: (.*)$", re.MULTILINE)
_SAID = 600
"""Characters of what skopeo says, and with it the registry, that anybody is shown."""
_DENIED = (
    "requested access to the resource is denied",
    "denied:",
    "name unknown",
    "repository name not known",
)
_UNAUTHORIZED = (
    "unauthorized",
    "authentication required",
    "invalid username/password",
    "no basic auth",
)
_UNREACHABLE = (
    "no such host",
    "connection refused",
    "network is unreachable",
    "no route to host",
    "i/o timeout",
    "timeout",
    "deadline exceeded",
    "server misbehaving",
    "name resolution",
    "connection reset",
    "unexpected EOF",
    ": EOF",
)
_ABSENT = (
    "does not resolve to an image ID",
    "No such image",
    "reference does not exist",
    "not found in the archive",
)


def build_source(reference: Reference) -> str:
    """A registry's image as skopeo names it. With a digest, the tag is left out: the two can't be given together."""
    if reference.digest:
        return f"docker://{reference.name}@{reference.digest}"
    return f"docker://{reference.name}:{reference.tag}"


def build_flags(
    reference: Reference, *, authfile: str = "", insecure: bool = False, prefix: str = ""
) -> list[str]:
    """How to talk to the registry; `prefix` is "src-" for a copy. An `insecure` one needs no TLS, nor one on this host."""
    flags = []
    if insecure or InsecureRegistries().covers(reference.domain):
        flags.append(f"--{prefix}tls-verify=false")
    if authfile:
        flags.append(f"--{prefix}authfile={authfile}")
    return flags


def build_inspect(source: str, flags: Sequence[str], *, policy: bool) -> list[str]:
    """Print the manifest, or the index, that `source` names, byte for byte."""
    return ["skopeo", *_policy(policy), "inspect", "--raw", *flags, source]


def build_copy(
    source: str, target: str, flags: Sequence[str], platform: Platform, *, policy: bool
) -> list[str]:
    """Copy the image of one platform into directory `target`; `policy` says whether the host has a trust policy."""
    choice = [f"--override-os={platform.os}", f"--override-arch={platform.architecture}"]
    if platform.variant:
        choice.append(f"--override-variant={platform.variant}")
    return ["skopeo", *_policy(policy), *choice, "copy", *flags, source, f"dir:{target}"]


def build_push(
    archive: str, reference: Reference, flags: Sequence[str], digestfile: str, *, policy: bool
) -> list[str]:
    """Copy the one image in a `docker save` archive to a registry; `digestfile` gets the digest that it has there."""
    target = build_source(reference)
    return [
        *("skopeo", *_policy(policy), "copy", *flags, f"--digestfile={digestfile}"),
        *(f"docker-archive:{archive}", target),
    ]


def build_login(
    registry: str, username: str, authfile: str, *, insecure: bool = False
) -> list[str]:
    """Check a user's password, which goes in on standard input, against a registry; `authfile` is written."""
    reference = Reference(domain=registry, path="")
    flags = build_flags(reference, authfile=authfile, insecure=insecure)
    return ["skopeo", "login", *flags, "--username", username, "--password-stdin", registry]


def build_auth(reference: Reference, auth: RegistryAuth) -> bytes:
    """A containers-auth.json(5) file with these credentials for the registry of `reference`.

    Raises:
        NotImplemented: a bare registry token, which that file can't hold.
    """
    if auth.registrytoken:
        raise NotImplemented("a registry token can't be used: give a user name and a password")
    entry = {"auth": auth.auth}
    if auth.identitytoken:
        token = base64.b64encode(b"<token>:").decode()
        entry = {"auth": token, "identitytoken": auth.identitytoken}
    elif auth.username:
        pair = f"{auth.username}:{auth.password}".encode()
        entry = {"auth": base64.b64encode(pair).decode()}
    return msgspec.json.encode({"auths": {reference.domain: entry} if entry["auth"] else {}})


def explain_failure(
    reference: Reference, status: int, stderr: str, *, with_credentials: bool = False
) -> HiveletError:
    """The error that the user gets for skopeo's, in Docker's words where Docker has some."""
    found = _LAST_WORDS.findall(stderr)
    words = _PREFIX.sub("", found[-1].replace('\\"', '"')) if found else stderr.strip()
    words = words if len(words) <= _SAID else f"{words[: _SAID // 2]} … {words[-_SAID // 2 :]}"
    lower = words.lower()
    familiar = reference.familiar
    if status == TIMED_OUT:
        return Unavailable(f"registry {reference.domain} does not answer for {familiar}: {words}")
    if crash := _CRASH.search(stderr):
        return System(f"skopeo crashed on {familiar}: {crash[1][:_SAID]}")
    if status == 127:
        return System("skopeo is not installed, and pulling images needs it: apt install skopeo")
    if "manifest unknown" in lower:
        return NotFound(f"manifest for {familiar} not found: manifest unknown: manifest unknown")
    if "no image found in" in lower:
        return NotFound(
            f"no matching manifest for this platform in the manifest list of {familiar}"
        )
    if any(text in lower for text in _UNAUTHORIZED) and with_credentials:
        return Unauthorized(
            f"unauthorized: {reference.domain} does not accept this user name and password"
        )
    if any(text in lower for text in _DENIED + _UNAUTHORIZED):
        return NotFound(
            f"pull access denied for {reference.familiar_name}, repository does not exist or may"
            " require 'docker login': denied: requested access to the resource is denied"
        )
    return _explain_way(reference, words)


def explain_push_failure(reference: Reference, status: int, stderr: str) -> HiveletError:
    """The error that the user gets for skopeo's when an image is pushed."""
    lower = stderr.lower()
    if any(text in lower for text in _DENIED + _UNAUTHORIZED):
        return Unauthorized(
            f"denied: requested access to {reference.familiar_name} is denied: log in to"
            f" {reference.domain} with a user who may push there"
        )
    return explain_failure(reference, status, stderr)


def _explain_way(reference: Reference, words: str) -> HiveletError:
    """Failures on the way to the registry, or of what stands in its place."""
    lower = words.lower()
    familiar = reference.familiar
    if "toomanyrequests" in lower:
        return Unavailable(f"{reference.domain} limits how often you may pull: {words}")
    if "cannot connect to the docker daemon" in lower:
        return Unavailable(f"{familiar} can't be had from Docker: {words}")
    if any(text.lower() in lower for text in _ABSENT):
        return NotFound(f"No such image: {familiar}")
    if "x509" in lower or "http response to https client" in lower:
        return System(
            f"the TLS certificate of registry {reference.domain} is not accepted: {words}."
            f" Put its CA's certificate into /etc/docker/certs.d/{reference.domain}/ca.crt,"
            f" or start hiveletd with --insecure-registry {reference.domain}"
        )
    if any(text.lower() in lower for text in _UNREACHABLE):
        return Unavailable(
            f"registry {reference.domain} can't be reached for {familiar}: {words}."
            " Without a network, load the image from an archive (`docker load -i FILE`)"
        )
    return System(f"skopeo failed on {familiar}: {words[-_SAID:] or 'skopeo said nothing'}")


def _policy(policy: bool) -> list[str]:
    # skopeo refuses to run at all without a policy; accepting everything is what its packaged policy says, too.
    return [] if policy else ["--insecure-policy"]
