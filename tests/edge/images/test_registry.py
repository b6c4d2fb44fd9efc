"""Pulls from a real registry, in network and mount namespaces of the test's own."""

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import time

import pytest
from tests.edge.images.tars import digest, docker_archive, entry, in_mount_namespace, tar

from hivelet.errors import NotFound, System, Unauthorized, Unavailable
from hivelet.objects.image import RegistryAuth
from hivelet.runtime.images.pull import Pull, fetch_image, pull_image
from hivelet.runtime.images.push import Push, push_image
from hivelet.runtime.images.questions import check_credentials, inspect_registry
from hivelet.runtime.images.store import ImageStore

REGISTRY = shutil.which("docker-registry")
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(REGISTRY is None, reason="needs Debian's docker-registry"),
]

# An address that is not a loopback one, as registries on those need no TLS.
HOST = "10.99.0.1"
PORT = 5000
NAME = f"{HOST}:{PORT}/acme/web"
USER = RegistryAuth(username="anna", password="geheim", serveraddress=f"{HOST}:{PORT}")
HTPASSWD = "anna:$2b$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu\n"
BASE, TOP = tar(entry("base", b"base")), tar(entry("top", b"top"))


class Registry:
    """A docker-registry process; `tls` and `password` as said."""

    def __init__(self, place, *, tls=False, password=False):
        place.mkdir()
        lines = [
            "version: 0.1",
            f"storage: {{filesystem: {{rootdirectory: {place}/data}}}}",
            f"http: {{addr: '{HOST}:{PORT}'" + self._tls(place, tls) + "}",
            "log: {level: error}",
        ]
        if password:
            (place / "htpasswd").write_text(HTPASSWD)
            lines.append(f"auth: {{htpasswd: {{realm: test, path: {place}/htpasswd}}}}")
        (place / "config.yml").write_text("\n".join(lines))
        self._place = place

    def _tls(self, place, tls):
        if not tls:
            return ""
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ),
                *("-nodes", "-days", "2", "-subj", "/CN=registry", "-addext"),
                *(f"subjectAltName=IP:{HOST}", "-keyout", place / "key", "-out", place / "ca.crt"),
            ],
            check=True,
            capture_output=True,
        )
        return f", tls: {{certificate: {place}/ca.crt, key: {place}/key}}"

    def __enter__(self):
        self._process = subprocess.Popen(
            [REGISTRY, "serve", self._place / "config.yml"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, PORT), timeout=1).close()
            except OSError:
                assert self._process.poll() is None
                time.sleep(0.01)
            else:
                return self
        raise AssertionError("the registry does not answer")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def push(self, archive, tag="1", extra=()):
        path = self._place / "push.tar"
        path.write_bytes(archive)
        subprocess.run(
            [
                *("skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", *extra),
                *(f"docker-archive:{path}", f"docker://{NAME}:{tag}"),
            ],
            check=True,
        )


def isolated(body):
    """Run an async `body(store)` where only the test's own network and mounts are."""

    def run(tmp_path):
        def inside():
            assert ctypes.CDLL(None).unshare(0x40000000) == 0
            for command in ("link set lo up", f"addr add {HOST}/32 dev lo"):
                subprocess.run(["ip", *command.split()], check=True)

            async def main():
                store = ImageStore(tmp_path / "images")
                await store.start()
                try:
                    await body(store, tmp_path)
                finally:
                    await store.close()
                assert os.listdir(tmp_path / "images" / "tmp") == []

            asyncio.run(main())

        in_mount_namespace(inside)

    run.__name__ = body.__name__
    return run


def nothing(_):
    pass


@isolated
async def test_a_pull_keeps_id_and_digest(store, tmp_path):
    with Registry(tmp_path / "registry") as registry:
        registry.push(docker_archive([BASE, TOP]))
        request = Pull(reference=f"{NAME}:1", insecure=True)
        told = [progress async for progress in pull_image(store, request)]
        image = await store.resolve(f"{NAME}:1")
        assert image.diff_ids == (digest(BASE), digest(TOP))
        (name,) = image.repo_digests
        assert (await store.resolve(name)).id == image.id
        assert told[0].status == "Pulling from acme/web"
        assert told[0].id == "1"
        assert [p.status for p in told].count("Pull complete") == 2
        assert told[-2].status == f"Digest: {name.partition('@')[2]}"
        assert told[-1].status == f"Status: Downloaded newer image for {NAME}:1"
        again = [progress async for progress in pull_image(store, request)]
        assert again[-1].status == f"Status: Image is up to date for {NAME}:1"
        registry.push(docker_archive([TOP]))
        await fetch_image(store, request, nothing)
        assert (await store.resolve(f"{NAME}:1")).diff_ids == (digest(TOP),)
        assert (await store.resolve(name)).id == image.id
        await store.remove(f"{NAME}:1")
        by_digest = await fetch_image(store, Pull(reference=name, insecure=True), nothing)
        assert by_digest.id == image.id
        assert by_digest.tags == ()


@isolated
async def test_what_is_not_there_is_said(store, tmp_path):
    with Registry(tmp_path / "registry") as registry:
        registry.push(docker_archive([BASE]))
        with pytest.raises(NotFound, match=f"manifest for {NAME}:2 not found: manifest unknown"):
            await fetch_image(store, Pull(reference=f"{NAME}:2", insecure=True), nothing)
    with pytest.raises(Unavailable, match=r"registry 10.99.0.1:5000 can't be reached"):
        await fetch_image(store, Pull(reference=f"{NAME}:1", insecure=True), nothing)
    with pytest.raises(Unavailable, match=r"registry docker.io can't be reached.*docker load"):
        await fetch_image(store, Pull(reference="nothing"), nothing)


@isolated
async def test_without_tls_a_registry_is_refused(store, tmp_path):
    with Registry(tmp_path / "registry") as registry:
        registry.push(docker_archive([BASE]))
        with pytest.raises(System, match="TLS"):
            await fetch_image(store, Pull(reference=f"{NAME}:1"), nothing)


@isolated
async def test_a_certificate_must_be_known(store, tmp_path):
    with Registry(tmp_path / "registry", tls=True) as registry:
        registry.push(docker_archive([BASE]))
        with pytest.raises(System, match=r"the TLS certificate.*certs.d/10.99.0.1:5000/ca.crt"):
            await fetch_image(store, Pull(reference=f"{NAME}:1"), nothing)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/etc/containers"], check=True)
        place = f"/etc/containers/certs.d/{HOST}:{PORT}"
        os.makedirs(place)
        shutil.copy(tmp_path / "registry" / "ca.crt", place)
        image = await fetch_image(store, Pull(reference=f"{NAME}:1"), nothing)
        assert image.diff_ids == (digest(BASE),)


@isolated
async def test_credentials_open_a_registry(store, tmp_path):
    with Registry(tmp_path / "registry", password=True) as registry:
        registry.push(docker_archive([BASE]), extra=["--dest-creds=anna:geheim"])
        request = Pull(reference=f"{NAME}:1", insecure=True)
        with pytest.raises(NotFound, match=r"pull access denied for 10.99.0.1:5000/acme/web"):
            await fetch_image(store, request, nothing)
        wrong = RegistryAuth(username="anna", password="falsch")
        with pytest.raises(Unauthorized, match="does not accept"):
            await fetch_image(
                store, Pull(reference=f"{NAME}:1", insecure=True, auth=wrong), nothing
            )
        image = await fetch_image(
            store, Pull(reference=f"{NAME}:1", insecure=True, auth=USER), nothing
        )
        assert image.repo_tags == [f"{NAME}:1"]


@isolated
async def test_credentials_are_checked(store, tmp_path):
    with Registry(tmp_path / "registry", tls=True, password=True):
        subprocess.run(["mount", "-t", "tmpfs", "none", "/etc/containers"], check=True)
        place = f"/etc/containers/certs.d/{HOST}:{PORT}"
        os.makedirs(place)
        shutil.copy(tmp_path / "registry" / "ca.crt", place)
        await check_credentials(store, USER)
        wrong = RegistryAuth(username="anna", password="x", serveraddress=USER.serveraddress)
        with pytest.raises(Unauthorized, match="does not accept"):
            await check_credentials(store, wrong)


@isolated
async def test_a_registry_is_asked_without_a_pull(store, tmp_path):
    with Registry(tmp_path / "registry") as registry:
        registry.push(docker_archive([BASE]))
        said = await inspect_registry(f"{NAME}:1", insecure=True)
        image = await fetch_image(store, Pull(reference=f"{NAME}:1", insecure=True), nothing)
        assert image.repo_digests == [f"{NAME}@{said.digest}"]


@isolated
async def test_a_listener_that_goes_away_ends_the_pull(store, tmp_path):
    with Registry(tmp_path / "registry") as registry:
        registry.push(docker_archive([BASE]))
        pulling = pull_image(store, Pull(reference=f"{NAME}:1", insecure=True))
        await anext(pulling)
        await pulling.aclose()
        assert await store.list_images() == []


@isolated
async def test_what_is_pushed_can_be_pulled(store, tmp_path):
    with Registry(tmp_path / "registry", password=True):
        (tmp_path / "web.tar").write_bytes(docker_archive([BASE, TOP], tags=["web:1"]))
        await store.load(tmp_path / "web.tar")
        await store.tag("web:1", f"{NAME}:2")
        image = await store.resolve("web:1")
        request = Push(reference=f"{NAME}:2", insecure=True)
        with pytest.raises(Unauthorized, match="denied: requested access"):
            assert [progress async for progress in push_image(store, request)]
        request = Push(reference=f"{NAME}:2", insecure=True, auth=USER)
        told = [progress.status async for progress in push_image(store, request)]
        assert told[0] == f"The push refers to repository [{NAME}]"
        assert told.count("Pushed") == 2
        (digest_name,) = (await store.resolve(image.id)).repo_digests
        assert told[-2].startswith(f"2: digest: {digest_name.partition('@')[2]}")
        with pytest.raises(NotFound, match="No such image"):
            assert [p async for p in push_image(store, Push(reference=f"{NAME}:3"))]
        other = ImageStore(tmp_path / "other")
        await other.start()
        pulled = await fetch_image(
            other, Pull(reference=f"{NAME}:2", insecure=True, auth=USER), nothing
        )
        assert pulled.raw == image.raw
        assert pulled.repo_digests == [digest_name]
        await other.close()
