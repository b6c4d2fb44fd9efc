"""`docker build` by the classic builder: two ages of the docker command line, docker-py, and bare requests."""

from __future__ import annotations

import io
import json
import re
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker as docker_py
import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Daemon
from harness.images import BUSYBOX, import_busybox
from harness.machine import Machine
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLASSIC = {"DOCKER_BUILDKIT": "0"}

FULL = """\
# a comment
ARG BASE=nowhere
FROM $BASE AS made
ARG WORD=none
RUN echo "made $WORD" >/made && \\
    # in the middle of it
    chmod 600 /made
FROM unused-and-nowhere AS unused
RUN false
FROM scratch AS bare
COPY busybox /bin/sh
COPY --from=made --chown=7:8 /made /made
ADD files.tar /files/
COPY . /all/
ENV A=1 B="two words"
LABEL one=1
EXPOSE 80/tcp
HEALTHCHECK --interval=7s CMD true
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-ec"]
ONBUILD COPY later /later
USER 7:8
VOLUME /data
WORKDIR /work
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "cat /made"]
FROM bare AS after
"""


@pytest.fixture
def context(machine: Machine) -> Path:
    """A folder to build from."""
    folder = machine.dir / "context"
    folder.mkdir()
    (folder / "busybox").write_bytes(BUSYBOX.read_bytes())
    (folder / "busybox").chmod(0o755)
    (folder / ".dockerignore").write_text("*.secret\n")
    (folder / "a.secret").write_text("hidden")
    with tarfile.open(folder / "files.tar", "w") as tar:
        entry = tarfile.TarInfo("inner/file")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"inner"))
    (folder / "Dockerfile").write_text(FULL)
    return folder


@pytest.fixture(params=["docker-28", "docker-20"])
def cli(request: pytest.FixtureRequest, machine: Machine, hiveletd: Daemon) -> Iterator[Cli]:
    """Each docker CLI, with the image bb:latest."""
    cli = make_cli(request.param, hiveletd.host, machine.dir)
    import_busybox(cli, machine.dir)
    yield cli
    for line in cli("ps", "-aq").lines:
        cli("rm", "-f", line)


def build(cli: Cli, *words: str, **options: Any) -> Any:
    """`docker build` by the classic builder."""
    return cli("build", *words, env=CLASSIC, timeout=120, **options)


def inspect(cli: Cli, name: str) -> Any:
    """An image, as the API has it."""
    return json.loads(cli("image", "inspect", name).out)[0]


def test_stages_arguments_and_what_an_image_keeps(
    cli: Cli, context: Path, hiveletd: Daemon
) -> None:
    words = [
        "--build-arg",
        "BASE=bb",
        "--build-arg",
        "WORD=word",
        "--target",
        "bare",
        "--label",
        "two=2",
    ]
    said = build(cli, *words, "-t", "made:1", "-t", "made:2", str(context))
    assert "Step 1/22 : ARG BASE=nowhere" in said.out
    assert "Step 2/22 : FROM $BASE AS made\n ---> " in said.out
    assert 'Step 4/22 : RUN echo "made $WORD" >/made &&     chmod 600 /made' in said.out
    assert "Step 22/22 : LABEL two=2" in said.out
    image = inspect(cli, "made:1")
    assert f"Successfully built {image['Id'][7:19]}" in said.out
    assert said.lines[-2:] == ["Successfully tagged made:1", "Successfully tagged made:2"]
    config = image["Config"]
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 7_000_000_000}
    assert config["StopSignal"] == "SIGINT"
    assert config["Shell"] == ["/bin/sh", "-ec"]
    assert config["OnBuild"] == ["COPY later /later"]
    assert config["User"] == "7:8"
    assert config["Volumes"] == {"/data": {}}
    assert config["WorkingDir"] == "/work"
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["Labels"] == {"one": "1", "two": "2"}
    assert {"A=1", "B=two words"} <= set(config["Env"])
    assert "ENTRYPOINT" in cli("history", "--no-trunc", "made:1").out
    assert cli("run", "--rm", "made:2").out == "made word\n"
    listing = "ls /all /files/inner; stat -c %u:%g:%a /made"
    shown = cli("run", "--rm", "made:2", "-c", f"/bin/sh -c '{listing}'", status=None)
    assert shown is not None
    # The next stage starts from one that asks for a file when it is built upon.
    (context / "later").write_text("later")
    said = build(cli, *words[:4], "-q", "-t", "after", str(context))
    assert said.out.strip() == inspect(cli, "after")["Id"]
    assert (
        cli(
            "run",
            "--rm",
            "--entrypoint",
            "/bin/sh",
            "-u",
            "0",
            "after",
            "-c",
            "read x </later; echo $x",
        ).out
        == "later\n"
    )
    assert hiveletd.running


def test_steps_are_cached_and_the_cache_is_pruned(cli: Cli, context: Path) -> None:
    (context / "Dockerfile").write_text(
        "FROM bb\nRUN cat /proc/sys/kernel/random/uuid | tee /uuid\n"
    )
    first = build(cli, "-t", "one", str(context)).out
    again = build(cli, "-t", "two", str(context)).out
    assert " ---> Using cache" in again
    assert " ---> Using cache" not in first
    assert inspect(cli, "one")["Id"] == inspect(cli, "two")["Id"]
    anew = build(cli, "--no-cache", "-t", "two", str(context)).out
    assert " ---> Using cache" not in anew
    assert inspect(cli, "one")["Id"] != inspect(cli, "two")["Id"]
    df = json.loads(cli("system", "df", "-v", "--format", "{{json .BuildCache}}").out)
    assert df
    cli("rmi", "one", "two")
    assert "Total" in cli("builder", "prune", "-a", "-f").out
    assert json.loads(cli("system", "df", "-v", "--format", "{{json .BuildCache}}").out) in (
        [],
        None,
    )
    assert " ---> Using cache" not in build(cli, "-t", "one", str(context)).out


def test_failures_say_what_docker_says(cli: Cli, context: Path) -> None:
    def failed(dockerfile: str, *words: str) -> Any:
        (context / "Dockerfile").write_text(dockerfile)
        return cli.fails("build", *words, str(context), env=CLASSIC, timeout=120)

    said = failed("FROM bb\nRUN echo before; exit 7\n")
    assert said.status == 7
    assert "before\n" in said.out
    assert "The command '/bin/sh -c echo before; exit 7' returned a non-zero code: 7" in said.err
    assert "before" in failed("FROM bb\nRUN echo before; exit 7\n", "-q").err + said.out
    said = failed("FROM bb\nCOPY nothing /\n")
    assert "COPY failed: file not found in build context" in said.err
    assert "unknown instruction: RUNN" in failed("FROM bb\nRUNN x\n").err
    assert "cannot be empty" in failed("").err
    assert "failed to reach build target nope" in failed("FROM bb\n", "--target", "nope").err
    said = failed("FROM registry.invalid/x:1\nRUN true\n")
    assert "registry.invalid" in said.err
    (context / "Dockerfile").unlink()
    assert "Dockerfile" in cli.fails("build", str(context), env=CLASSIC).err
    assert cli("images", "-q").lines == list(dict.fromkeys(cli("images", "-q").lines))


def test_the_network_of_a_build(cli: Cli, context: Path) -> None:
    """By default that of `bridge`, with its own address and the names that were given; none is none."""
    (context / "Dockerfile").write_text(
        "FROM bb\nRUN ip -o -4 addr show; cat /etc/hosts /etc/resolv.conf; ip route\n"
    )
    said = build(cli, "--no-cache", "--add-host", "else:10.9.8.7", "-t", "x", str(context)).out
    assert "eth0" in said
    assert "default via" in said
    assert "10.9.8.7\telse" in said
    said = build(cli, "--no-cache", "--network", "none", "-t", "x", str(context)).out
    assert "eth0" not in said
    assert "default via" not in said
    cli("network", "create", "--subnet", "10.77.0.0/24", "mine")
    said = build(cli, "--no-cache", "--network", "mine", "-t", "x", str(context)).out
    assert "10.77.0." in said
    cli("network", "rm", "mine")
    assert "not found" in cli.fails("build", "--network", "nope", str(context), env=CLASSIC).err


def test_limits_reach_the_commands(cli: Cli, context: Path) -> None:
    (context / "Dockerfile").write_text(
        "FROM bb\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; df -k /dev/shm; ulimit -n\n"
    )
    words = ["--memory", "64m", "--shm-size", "8m", "--ulimit", "nofile=99:99"]
    said = build(cli, *words, "-t", "x", str(context)).out
    assert "8192" in said
    assert "\n99\n" in said


def test_a_context_from_standard_input(cli: Cli) -> None:
    said = cli("build", "-t", "x", "-", stdin="FROM bb\nRUN echo from stdin\n", env=CLASSIC)
    assert "from stdin" in said.out


def test_a_dockerfile_from_standard_input_with_a_context(cli: Cli, context: Path) -> None:
    """The docker command line adds it to the archive, which it does not bring to an end."""
    (context / "kept").write_text("of the context")
    text = "FROM bb\nCOPY kept /kept\nRUN cat /kept\n"
    assert "of the context" in build(cli, "-f", "-", str(context), stdin=text).out


def test_buildkit_is_refused_with_the_way_out(cli: Cli, context: Path) -> None:
    said = cli.fails("build", str(context), env={"DOCKER_BUILDKIT": "1"})
    assert "buildx" in said.err or "received 501" in said.err
    (context / "Dockerfile").write_text("FROM bb\n")
    # Without the variable, the daemon's word counts: the classic builder is what it offers.
    assert "Successfully tagged plain:latest" in cli("build", "-t", "plain", str(context)).out


def test_docker_py(docker: Cli, hiveletd: Daemon, machine: Machine) -> None:
    import_busybox(docker, machine.dir)
    client = docker_py.DockerClient(base_url=hiveletd.host)
    try:
        text = b"FROM bb\nARG W\nRUN echo $W >/w\n"
        image, log = client.images.build(
            fileobj=io.BytesIO(text), tag="py:1", buildargs={"W": "py"}, rm=True
        )
        assert image.tags == ["py:1"]
        assert any("Step 3/3" in line.get("stream", "") for line in log)
        with pytest.raises(docker_py.errors.BuildError, match="non-zero code: 3"):
            client.images.build(fileobj=io.BytesIO(b"FROM bb\nRUN exit 3\n"))
        assert client.api.prune_builds()["SpaceReclaimed"] >= 0
    finally:
        client.close()


def test_who_leaves_ends_the_build(docker: Cli, hiveletd: Daemon, machine: Machine) -> None:
    """Nothing is left: no process, no mount, no namespace, no half-made container."""
    import_busybox(docker, machine.dir)
    client = docker_py.APIClient(base_url=hiveletd.host)
    word = secrets.token_hex(8)
    text = f"FROM bb\nRUN echo begun; sleep 4321 || echo {word}\n"
    told = client.build(fileobj=io.BytesIO(text.encode()), decode=True)
    try:
        assert any(line.get("stream", "") == "begun\n" for line in told)
        assert processes_with(word)
    finally:
        told.close()
        client.close()
    wait_until(lambda: not processes_with(word), timeout=30, what="the build has ended")
    root = hiveletd.dir / "root"
    wait_until(
        lambda: not [*root.glob("images/tmp/build-*"), *(hiveletd.dir / "run/builds").iterdir()],
        timeout=30,
        what="its folders are gone",
    )
    mounts = Path(f"/proc/{hiveletd.pid}/mountinfo").read_text()
    assert "/build/" not in mounts
    wait_until(lambda: containers_of(root) == [], timeout=30, what="its container is gone")
    # And it can be built anew.
    again = docker("build", "-q", "-t", "x", "-", stdin="FROM bb\nRUN true\n", env=CLASSIC)
    assert again.out.startswith("sha256:")


def test_a_build_does_not_outlive_the_daemon(
    docker: Cli, hiveletd: Daemon, machine: Machine
) -> None:
    import_busybox(docker, machine.dir)
    client = docker_py.APIClient(base_url=hiveletd.host)
    word = secrets.token_hex(8)
    text = f"FROM bb\nRUN echo begun; sleep 4321 || echo {word}\n"
    told = client.build(fileobj=io.BytesIO(text.encode()), decode=True)
    try:
        assert any(line.get("stream", "") == "begun\n" for line in told)
        hiveletd.kill()
        wait_until(lambda: not processes_with(word), timeout=30, what="the build has ended")
    finally:
        told.close()
        client.close()
    hiveletd.start()
    root = hiveletd.dir / "root"
    assert not list((hiveletd.dir / "run/builds").iterdir())
    assert not list((hiveletd.dir / "run/netns").iterdir())
    assert not list(root.glob("images/tmp/build-*"))
    assert containers_of(root) == []
    again = docker("build", "-q", "-t", "x", "-", stdin="FROM bb\nRUN true\n", env=CLASSIC)
    assert again.out.startswith("sha256:")


def test_a_context_from_an_address(docker: Cli, hiveletd: Daemon, machine: Machine) -> None:
    import_busybox(docker, machine.dir)
    web = machine.dir / "web"
    web.mkdir()
    (web / "plain").write_text("FROM bb\nRUN echo plain >/made\n")
    with tarfile.open(web / "context.tar.gz", "w:gz") as tar:
        for name, text in (("Dockerfile", "FROM bb\nCOPY file /made\n"), ("file", "packed\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    machine.popen(["busybox", "httpd", "-f", "-p", "127.0.0.1:8099", "-h", str(web)])
    at = "http://127.0.0.1:8099"
    wait_until(
        lambda: machine.run(["curl", "-s", f"{at}/plain"], check=False).stdout,
        timeout=10,
        what="the web server answers",
    )
    client = docker_py.DockerClient(base_url=hiveletd.host)
    try:
        for name, said in (("plain", "plain\n"), ("context.tar.gz", "packed\n")):
            client.images.build(path=f"{at}/{name}", tag="fetched")
            assert docker("run", "--rm", "fetched", "cat", "/made").out == said
        with pytest.raises(docker_py.errors.APIError, match="there is nothing at"):
            client.images.build(path=f"{at}/nope")
    finally:
        client.close()
    machine.run(["cp", str(machine.dir / "busybox.tar"), str(web)])
    docker("import", f"{at}/busybox.tar", "fetched:rootfs")
    assert (
        f"Imported from {at}/busybox.tar" in docker("history", "--no-trunc", "fetched:rootfs").out
    )


def processes_with(word: str) -> list[str]:
    """The processes of the host that have `word` on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def containers_of(root: Path) -> list[Any]:
    """What buildah's storage has of containers."""
    listing = root / "build/storage/overlay-containers/containers.json"
    return json.loads(listing.read_text()) if listing.exists() else []


@pytest.fixture
def repository(machine: Machine) -> str:
    """The address of a git repository with a branch, a tag, and links that lead out of it."""
    place = machine.dir / "git/repository"
    place.mkdir(parents=True)
    (place / "sub").mkdir()
    (place / "Dockerfile").write_text("FROM bb\nCOPY file /made\n")
    (place / "file").write_text("first\n")
    (place / "sub/Dockerfile").write_text("FROM bb\nRUN echo below >/made\n")
    (place / "away").symlink_to("/etc")
    git = ["git", "-C", str(place), "-c", "user.name=ada", "-c", "user.email=ada@host"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["commit", "-q", "-m", "first"],
        ["tag", "v1"],
    ):
        machine.run([*git, *words])
    (place / "file").write_text("second\n")
    machine.run([*git, "commit", "-q", "-a", "-m", "second"])
    machine.popen(
        ["git", "daemon", "--listen=127.0.0.1", "--export-all", f"--base-path={place.parent}"]
    )
    at = "git://127.0.0.1/repository"
    wait_until(
        lambda: machine.run(["git", "ls-remote", at], check=False).stdout,
        timeout=20,
        what="the repository is served",
    )
    return at


def test_a_context_from_a_git_repository(
    docker: Cli, hivelet_cli: Cli, hiveletd: Daemon, machine: Machine, repository: str
) -> None:
    import_busybox(docker, machine.dir)
    client = docker_py.DockerClient(base_url=hiveletd.host)
    built = {
        "": "second",
        "#v1": "first",
        "#:sub": "below",
        "#v1:sub": "below",
        "#v1:../..": "first",
    }
    failing = {
        "#nope": "can't be had at nope",
        "#v1:nope": "has no folder nope at v1",
        "#v1:away": "has no folder away at v1",
        "#-v1": "invalid refspec: -v1",
    }
    try:
        for fragment, said in built.items():
            client.images.build(path=f"{repository}{fragment}", tag="cloned")
            assert docker("run", "--rm", "cloned", "cat", "/made").out == f"{said}\n", fragment
        for fragment, why in failing.items():
            with pytest.raises(docker_py.errors.APIError, match=re.escape(why)):
                client.images.build(path=f"{repository}{fragment}")
    finally:
        client.close()
    hivelet_cli("build", "-t", "cloned:7", "-f", "Dockerfile", f"{repository}#v1")
    assert docker("run", "--rm", "cloned:7", "cat", "/made").out == "first\n"
    stack = machine.dir / "stack.yml"
    stack.write_text(
        f'services: {{web: {{image: "cloned:8", build: {{context: "{repository}#v1:sub"}}}}}}\n'
    )
    hivelet_cli("stack", "build", "-c", str(stack), "s")
    assert docker("run", "--rm", "cloned:8", "cat", "/made").out == "below\n"
    assert not list((hiveletd.dir / "root").glob("images/tmp/build-*"))
