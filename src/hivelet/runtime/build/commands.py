"""What buildah and skopeo are told, and which files tell them the rest. Pure.

A build runs in a mount and PID namespace of its own, in the network that it may use: when its first process is killed,
everything that it started ends, and its mounts go with the namespace. It is killed when the daemon dies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hivelet.objects.build import BuildLimits, BuildRequest

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ENTER = """
[ ! -e /etc/resolv.conf ] || mount --bind "$1" /etc/resolv.conf || exit 125
[ ! -e /etc/hosts ] || mount --bind "$2" /etc/hosts || exit 125
shift 2
exec "$@"
"""
"""What is looked up in a build is looked up as in a container of its network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlace:
    """Where a build happens. `netns` is "" for the host's network."""

    context: Path
    dockerfile: Path
    resolv_conf: Path
    hosts: Path
    runtime: str
    runtime_root: Path
    cgroup: str
    netns: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePlace:
    """buildah's own storage: where it is, and the files and the environment that lead there."""

    root: Path
    run: Path
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def graph(self) -> Path:
        """Images and layers."""
        return self.root / "storage"

    @property
    def environment(self) -> dict[str, str]:
        """What the programs need to find it, and nothing of the host's settings or of the daemon's own environment."""
        return {
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "CONTAINERS_STORAGE_CONF": str(self.root / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.root / "registries.conf"),
            "CONTAINERS_CONF": str(self.root / "containers.conf"),
            "BUILDAH_LAYERS": "true",
            "HOME": str(self.root),
            "TMPDIR": str(self.root / "tmp"),
        }

    def configuration(self) -> dict[str, str]:
        """The files in `root`. The storage's mounts stay in the namespace of the program that makes them."""
        graph, run = (msgspec.json.encode(str(path)).decode() for path in (self.graph, self.run))
        return {
            "storage.conf": f'[storage]\ndriver = "overlay"\ngraphroot = {graph}\nrunroot = {run}\n'
            '[storage.options.overlay]\nskip_mount_home = "true"\n',
            "registries.conf": 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n',
            "containers.conf": "[containers]\ndefault_ulimits = []\n",
            "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
        }


def enclose(argv: Sequence[str], place: BuildPlace) -> list[str]:
    """`argv` in the namespaces of a build."""
    enter = ["nsenter", f"--net={place.netns}"] if place.netns else []
    return [
        *("setpriv", "--pdeathsig", "KILL", *enter),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("sh", "-c", _ENTER, "sh", str(place.resolv_conf), str(place.hosts), *argv),
    ]


def build_argv(
    request: BuildRequest, place: BuildPlace, images: Mapping[str, str], policy: Path
) -> list[str]:
    """The build itself: `images` (ids by what the Dockerfile calls them) are there, and the network is that of its place.

    The target is no matter of it: its Dockerfile ends there.
    """
    argv = [
        *("buildah", "build", "--format=docker", "--layers", "--force-rm", "--pull=never"),
        *(
            "--isolation=oci",
            f"--runtime={place.runtime}",
            f"--runtime-flag=root={place.runtime_root}",
        ),
        *("--network=host", "--http-proxy=false", "--identity-label=false"),
        *(f"--cgroup-parent={place.cgroup}", f"--signature-policy={policy}"),
        f"--file={place.dockerfile}",
        *_limits(request.limits),
    ]
    if request.no_cache:
        argv.append("--no-cache")
    if request.platform:
        argv.append(f"--platform={request.platform}")
    argv += [f"--build-arg={key}={value}" for key, value in request.build_args.items()]
    argv += [f"--label={key}={value}" for key, value in request.labels.items()]
    argv += [f"--security-opt={option}" for option in request.security_options]
    argv += [
        f"--build-context={name}=container-image://{identity.removeprefix('sha256:')}"
        for name, identity in images.items()
    ]
    return [*argv, str(place.context)]


def _limits(limits: BuildLimits) -> list[str]:
    flags = {
        "--memory": limits.memory,
        "--memory-swap": limits.memory_swap,
        "--shm-size": limits.shm_size,
        "--cpu-shares": limits.cpu_shares,
        "--cpu-period": limits.cpu_period,
        "--cpu-quota": limits.cpu_quota,
        "--cpuset-cpus": limits.cpuset_cpus,
        "--cpuset-mems": limits.cpuset_mems,
    }
    ulimits = [f"--ulimit={limit.name}={limit.soft}:{limit.hard}" for limit in limits.ulimits]
    return [f"{flag}={value}" for flag, value in flags.items() if value] + ulimits


def import_argv(archive: str, image_id: str, policy: Path) -> list[str]:
    """Bring the one image of a `docker save` archive into the storage, under a name that nobody else gives."""
    name = image_id.removeprefix("sha256:")
    source, target = f"docker-archive:{archive}", f"containers-storage:localhost/base:{name}"
    return ["skopeo", f"--policy={policy}", "copy", "--quiet", source, target]


def export_argv(image_id: str, target: str, policy: Path) -> list[str]:
    """Write an image of the storage into directory `target`, in skopeo's `dir:` form."""
    source = f"containers-storage:{image_id.removeprefix('sha256:')}"
    return ["skopeo", f"--policy={policy}", "copy", "--quiet", source, f"dir:{target}"]


def remove_argv(image_ids: Sequence[str]) -> list[str]:
    """Remove images of the storage, whatever they are called."""
    return ["buildah", "rmi", "--force", *image_ids]


def sweep_argv() -> list[str]:
    """Remove what builds that were cut off left half done."""
    return ["buildah", "rm", "--all"]
