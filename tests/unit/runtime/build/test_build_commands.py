"""What buildah is told."""

from pathlib import Path

from hivelet.objects.build import BuildLimits, BuildRequest
from hivelet.objects.container import Ulimit
from hivelet.runtime.build.commands import BuildPlace, StoragePlace, build_argv, enclose

PLACE = BuildPlace(
    context=Path("/s/context"),
    dockerfile=Path("/s/Dockerfile"),
    resolv_conf=Path("/r/resolv.conf"),
    hosts=Path("/r/hosts"),
    runtime="/usr/bin/crun",
    runtime_root=Path("/r/runtime"),
    cgroup="hivelet/77",
    netns="/r/netns/77",
)


def test_every_wish_is_passed_on():
    request = BuildRequest(
        platform="linux/amd64",
        build_args={"A": "x y", "B": ""},
        labels={"l": "1"},
        no_cache=True,
        security_options=["seccomp=unconfined"],
        limits=BuildLimits(memory=1, cpu_shares=2, ulimits=[Ulimit(name="nofile", soft=3, hard=4)]),
    )
    argv = build_argv(request, PLACE, {"tools:1": "sha256:99"}, Path("/p/policy.json"))
    assert argv[:2] == ["buildah", "build"]
    assert argv[-1] == "/s/context"
    for word in (
        "--platform=linux/amd64", "--build-arg=A=x y", "--build-arg=B=", "--label=l=1", "--no-cache",
        "--memory=1", "--cpu-shares=2", "--ulimit=nofile=3:4", "--security-opt=seccomp=unconfined",
        "--build-context=tools:1=container-image://99", "--format=docker", "--pull=never", "--cgroup-parent=hivelet/77",
    ):  # fmt: skip
        assert word in argv
    assert "--memory-swap=0" not in argv


def test_a_build_ends_with_the_daemon_and_all_of_it_at_once():
    argv = enclose(["buildah", "build"], PLACE)
    assert argv[:4] == ["setpriv", "--pdeathsig", "KILL", "nsenter"]
    assert "--net=/r/netns/77" in argv
    assert {"--mount", "--pid", "--kill-child"} <= set(argv)
    assert argv[-4:] == ["/r/resolv.conf", "/r/hosts", "buildah", "build"]


def test_the_programs_see_nothing_of_the_daemons_environment(monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    place = StoragePlace(root=Path("/b"), run=Path("/r"))
    assert "NOTIFY_SOCKET" not in place.environment
    assert 'graphroot = "/b/storage"' in place.configuration()["storage.conf"]
