import base64

import msgspec
import pytest

from hivelet.errors import NotFound, NotImplemented, System, Unauthorized, Unavailable
from hivelet.objects.image import RegistryAuth
from hivelet.runtime.images import skopeo
from hivelet.runtime.images.platforms import Platform
from hivelet.runtime.images.references import parse_reference

WEB = parse_reference("acme/web").with_default_tag()


def fatal(words):
    return f'time="2026-01-01T00:00:00Z" level=fatal msg="{words}"'


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (
            "reading manifest 1 in docker.io/acme/web: manifest unknown: manifest unknown",
            NotFound,
            "manifest for acme/web:latest not found",
        ),
        (
            "reading manifest: errors:\\ndenied: requested access to the resource is denied",
            NotFound,
            "pull access denied for acme/web, repository does not exist or may require 'docker login'",
        ),
        ("reading manifest: unauthorized: authentication required", NotFound, "pull access denied"),
        ("dial tcp: lookup r: no such host", Unavailable, "docker.io can't be reached"),
        ("dial tcp 1.2.3.4:443: i/o timeout", Unavailable, "docker.io can't be reached"),
        ("toomanyrequests: slow down", Unavailable, "limits how often"),
        ("x509: certificate signed by unknown authority", System, "certs.d/docker.io"),
        (
            "no image found in manifest list for architecture arm64",
            NotFound,
            "no matching manifest",
        ),
        ("Cannot connect to the Docker daemon at unix:///x", Unavailable, "had from Docker"),
        ("reference x does not resolve to an image ID", NotFound, "No such image: acme/web:latest"),
        ("something new", System, "skopeo failed on acme/web:latest: something new"),
    ],
)
def test_failures_are_told_in_dockers_words(words, kind, message):
    error = skopeo.explain_failure(WEB, 1, fatal(words))
    assert isinstance(error, kind)
    assert message in error.message


def test_wrong_credentials_are_said_to_be_wrong():
    words = fatal("unable to retrieve auth token: invalid username/password: unauthorized")
    assert isinstance(skopeo.explain_failure(WEB, 1, words, with_credentials=True), Unauthorized)


def test_a_missing_program_is_named():
    assert "apt install skopeo" in skopeo.explain_failure(WEB, 127, "").message


def test_argv_of_a_copy():
    argv = skopeo.build_copy(
        skopeo.build_source(WEB),
        "/scratch",
        skopeo.build_flags(WEB, authfile="/auth", prefix="src-"),
        Platform(architecture="arm64", variant="v8"),
        policy=False,
    )
    assert argv == [
        *("skopeo", "--insecure-policy", "--override-os=linux", "--override-arch=arm64"),
        *("--override-variant=v8", "copy", "--src-authfile=/auth"),
        *("docker://docker.io/acme/web:latest", "dir:/scratch"),
    ]


@pytest.mark.parametrize(
    ("name", "plain"),
    [("localhost:5000/x", True), ("127.0.0.1/x", True), ("r.example.com/x", False), ("x", False)],
)
def test_a_registry_on_this_host_needs_no_tls(name, plain):
    assert ("--tls-verify=false" in skopeo.build_flags(parse_reference(name))) is plain


def test_credentials_go_into_a_file():
    data = msgspec.json.decode(skopeo.build_auth(WEB, RegistryAuth(username="u", password="p:w")))
    assert base64.b64decode(data["auths"]["docker.io"]["auth"]) == b"u:p:w"
    with pytest.raises(NotImplemented):
        skopeo.build_auth(WEB, RegistryAuth(registrytoken="t"))
