"""Builds the tars and archives that the tests here read."""

import hashlib
import io
import json
import os
import tarfile
import threading

from hivelet.runtime.images.mounts import _libc

_CLONE_NEWNS = 0x20000
_MS_REC_PRIVATE = 0x4000 | 0x40000


def entry(name, data=b"", **changes):
    """One tar entry with its content."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mtime = 1_700_000_000
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def directory(name, mode=0o755, **changes):
    return entry(name, type=tarfile.DIRTYPE, mode=mode, **changes)


def symlink(name, target, **changes):
    return entry(name, type=tarfile.SYMTYPE, linkname=target, **changes)


def hard_link(name, target):
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def tar(*entries):
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape"
    ) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def busybox_rootfs():
    """A root file system that can run a shell."""
    with open("/bin/busybox", "rb") as stream:
        busybox = stream.read()
    passwd = b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/srv:/bin/sh\n"
    return tar(
        directory("bin"),
        entry("bin/busybox", busybox, mode=0o755),
        symlink("bin/sh", "busybox"),
        directory("etc"),
        entry("etc/passwd", passwd, mode=0o644),
        directory("srv"),
        entry("srv/old", b"old"),
    )


def image_config(layers, **changes):
    data = {
        "architecture": os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"),
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"]},
        "created": "2024-01-01T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
    }
    return json.dumps(data | changes).encode()


def docker_archive(layers, tags=("web:latest",), config=None):
    """What `docker save` writes."""
    config = config or image_config(layers)
    name = f"{digest(config)[7:]}.json"
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": names}]
    return tar(
        entry("manifest.json", json.dumps(manifest).encode()),
        entry(name, config),
        *[entry(name, layer) for name, layer in zip(names, layers, strict=True)],
    )


def oci_archive(layers, compress=lambda data: data, name="web:1", index_of=None):
    """An OCI layout in a tar. `index_of` may put the manifest's descriptor into an index of its own."""
    config = image_config(layers)
    blobs = {digest(config): config}
    descriptors = []
    for layer in layers:
        blob = compress(layer)
        blobs[digest(blob)] = blob
        descriptors.append(
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+x",
                "digest": digest(blob),
                "size": len(blob),
            }
        )
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": digest(config), "size": len(config)},
            "layers": descriptors,
        }
    ).encode()
    blobs[digest(manifest)] = manifest
    descriptor = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(manifest),
        "size": len(manifest),
    }
    if index_of is not None:
        inner = json.dumps(index_of(descriptor)).encode()
        blobs[digest(inner)] = inner
        descriptor = {
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": digest(inner),
            "size": len(inner),
        }
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()
    return tar(
        entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        entry("index.json", index),
        *[entry(f"blobs/{key.replace(':', '/')}", data) for key, data in blobs.items()],
    )


def in_mount_namespace(body):
    """Run `body` in a thread with a mount namespace of its own; its mounts end with the thread."""
    outcome = []

    def run():
        try:
            assert _libc.unshare(_CLONE_NEWNS) == 0
            assert _libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None) == 0
            outcome.append((body(), None))
        except BaseException as error:  # noqa: BLE001 - the caller raises it again
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result
