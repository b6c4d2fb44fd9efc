"""What a person does with a container by hand, by docker 28 and by `hivelet`: signals, pipes, terminals, copies, and what is printed."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.cli import Cli, make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.terminal import Terminal
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Hiveletd]:
    """One daemon for all, with images and a container that goes on."""
    with Machine("hand") as machine:
        daemon = Hiveletd(machine)
        daemon.start()
        docker = make_cli("docker-28", daemon.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("volume", "create", "data")
        docker("network", "create", "net1")
        docker("run", "-d", "--name", "kept", "--network", "net1", "-p", "8080:8000", "-p", "127.0.0.1:9000-9001:9000-9001/udp",
               "-v", "data:/data", "-l", "a=b", "web:latest")  # fmt: skip
        docker(
            "exec", "kept", "sh", "-c", "mkdir /new; echo x >/new/file; rm /etc/hosts.none; true"
        )
        docker("create", "--name", "idle", "bb", "true")
        yield daemon
        assert daemon.stop() == 0


@pytest.fixture(params=["docker-28", "hivelet"])
def cli(request: pytest.FixtureRequest, daemon: Hiveletd) -> Cli:
    """Each command line."""
    return make_cli(request.param, daemon.host, daemon.machine.dir)


@pytest.fixture
def pair(daemon: Hiveletd) -> tuple[Cli, Cli]:
    """Both command lines."""
    home = daemon.machine.dir
    return make_cli("docker-28", daemon.host, home), make_cli("hivelet", daemon.host, home)


WATCHING = "trap 'echo got term; exit 5' TERM; trap 'echo got usr' USR1; echo on; while :; do sleep 0.05; done"


@pytest.mark.parametrize("proxied", [True, False])
def test_signals_go_to_the_container(cli: Cli, proxied: bool) -> None:
    words = ["run", "--rm", "--name", "signalled", *([] if proxied else ["--sig-proxy=false"]), "bb", "sh", "-c", WATCHING]  # fmt: skip
    process = subprocess.Popen(
        [*cli.argv, *words], env=dict(cli.env), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        if proxied:
            process.send_signal(signal.SIGUSR1)
            assert process.stdout.readline() == b"got usr\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read() == b"got term\n"
            assert process.wait(20) == 5
        else:
            process.send_signal(signal.SIGTERM)
            assert cli("exec", "signalled", "echo", "lives").out == "lives\n"
            cli("kill", "signalled")
            assert b"got term" not in process.stdout.read()
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    wait_until(lambda: "signalled" not in cli("ps", "-a").out, timeout=20, what="it is removed")


def test_pipes(cli: Cli) -> None:
    """Input to its end, output to a reader that has enough, errors apart."""
    text = "line\n" * 50_000
    assert cli("run", "--rm", "-i", "bb", "sort", "-u", stdin=text).out == "line\n"
    joined = " ".join(cli.argv)
    done = subprocess.run(
        f"{joined} run --rm bb yes | head -n 3", shell=True, env=dict(cli.env), capture_output=True, timeout=60
    )  # fmt: skip
    assert done.stdout == b"y\ny\ny\n"
    said = cli("run", "--rm", "-a", "stderr", "bb", "sh", "-c", "echo out; echo err >&2")
    assert (said.out, said.err) == ("", "err\n")
    # Nobody types, but the input is open: the end of it is not the end of the output.
    assert cli("run", "--rm", "-i", "bb", "sh", "-c", "cat; sleep 0.3; echo after").out == "after\n"


def test_a_terminal_needs_one(cli: Cli) -> None:
    said = cli("run", "--rm", "-it", "bb", "true", status=None)
    assert said.status != 0
    assert "not a TTY" in said.err
    assert cli("run", "--rm", "-t", "bb", "sh", "-c", "test -t 1 && echo yes").out == "yes\n"


def test_keys_of_ones_own(cli: Cli) -> None:
    (cli.home / "config.json").write_text(json.dumps({"detachKeys": "ctrl-x,x"}))
    try:
        with Terminal(cli, "run", "-it", "--name", "left", "bb", "sh") as terminal:
            terminal.until("# ")
            terminal.type("echo c-p:\x10\x11\n")
            terminal.type("\x18x")
            assert terminal.wait() == 0
        assert cli("inspect", "-f", "{{.State.Running}}", "left").out == "true\n"
        with Terminal(cli, "attach", "--detach-keys", "q", "left") as terminal:
            terminal.type("q")
            terminal.until("read escape sequence")
            assert terminal.wait() == 1
        with Terminal(cli, "attach", "left") as terminal:
            terminal.type("\nexit 6\n")
            assert terminal.wait() == 6
        with Terminal(cli, "start", "-ai", "left") as terminal:
            terminal.type("exit 7\n")
            assert terminal.wait() == 7
    finally:
        (cli.home / "config.json").unlink()
        cli("rm", "-f", "left")


def test_what_attach_and_start_refuse(cli: Cli) -> None:
    assert "cannot attach to a stopped container" in cli.fails("attach", "idle").err.lower()
    assert cli.fails("start", "nobody").status == 1
    assert cli.fails("start", "-a", "idle", "kept").status == 1
    assert "No such container: nobody" in cli.fails("stop", "nobody", "nobody2").err
    assert cli.fails("wait", "nobody").status == 1
    assert cli.fails("port", "kept", "1234").status == 1


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder, and what is in them."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_copies(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "one").write_text("1")
    (source / "inner/two").write_text("2")
    (source / "link").symlink_to("one")
    inside = f"/cp-{cli.name}"
    cli("exec", "kept", "mkdir", inside)
    into = f"kept:{inside}"
    cli("cp", str(source), f"{into}/new")
    cli("cp", str(source), into)
    cli("cp", f"{source}/.", f"{into}/new")
    cli("cp", str(source / "one"), f"{into}/new/one")
    cli("cp", str(source / "one"), f"{into}/renamed")
    cli("cp", "-L", str(source / "link"), f"{into}/followed")
    found = cli(
        "exec", "kept", "sh", "-c", f"cd {inside}; find . -type f | sort; readlink new/link"
    ).lines
    assert found == [
        "./followed", "./new/inner/two", "./new/one", "./renamed", "./source/inner/two", "./source/one", "one",
    ]  # fmt: skip
    out = tmp_path / "out"
    cli("cp", f"{into}/source", str(out))
    cli("cp", f"{into}/source", str(out))
    cli("cp", f"{into}/source/.", str(out / "inner"))
    cli("cp", f"{into}/renamed", str(out / "one"))
    files = {"one": "1", "inner/two": "2", "link": "1"}
    assert tree(out) == {
        **files,
        **{f"source/{name}": text for name, text in files.items()},
        **{f"inner/{name}": text for name, text in files.items()},
    }
    assert (out / "link").readlink() == Path("one")
    for words in (
        [str(source), f"{into}/renamed"],
        [str(source / "one"), f"{into}/missing/"],
        [str(source / "nowhere"), into],
        [f"{into}/nowhere", str(out)],
        [f"{into}/source", str(out / "one")],
        [f"{into}/renamed", str(out / "missing/deep")],
        [into, f"{into}/again"],
        [str(source), str(out)],
    ):
        cli.fails("cp", *words)


def test_archives_by_pipe(cli: Cli) -> None:
    archive = subprocess.run(
        [*cli.argv, "cp", "kept:/new", "-"], env=dict(cli.env), capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert sorted(tar.getnames()) == ["new", "new/file"]
    place = f"/piped-{cli.name}"
    cli("exec", "kept", "mkdir", place)
    subprocess.run(
        [*cli.argv, "cp", "-", f"kept:{place}"], env=dict(cli.env), input=archive, check=True
    )
    assert cli("exec", "kept", "cat", f"{place}/new/file").out == "x\n"


def test_stats_go_on(cli: Cli) -> None:
    with subprocess.Popen(
        [*cli.argv, "stats", "--format", "{{json .}}", "kept"], env=dict(cli.env), stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen: list[dict[str, str]] = []
        limit = time.monotonic() + 60
        while len(seen) < 2 and time.monotonic() < limit:
            # docker's lines have codes that clear the screen
            line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", process.stdout.readline()).strip()
            if line and "--" not in line:
                seen.append(json.loads(line))
        process.kill()
    assert set(seen[0]) == {
        "BlockIO",
        "CPUPerc",
        "Container",
        "ID",
        "MemPerc",
        "MemUsage",
        "Name",
        "NetIO",
        "PIDs",
    }
    assert seen[0]["Name"] == "kept"


SAME = (
    "image history web:latest", "image history --no-trunc --format json web:latest", "history -q web:latest",
    "history --human=false --format {{.Size}} web:latest", "images --digests", "image ls --format {{json .}}",
    "container ls -a --no-trunc", "container ls -a -s", "ps -a -f status=created", "ps -q -f publish=8080", "ps -a -f volume=data",
    "ps -a -f network=net1", "ps -a -f ancestor=web -f label=a=b", "port kept", "port kept 8000", "port kept 9001/udp", "diff kept",
    "inspect -f {{.Id}}/{{.Name}} kept idle", "inspect --type image -f {{.Id}} bb", "inspect -f {{.Name}} net1 data",
    "container inspect -f {{json.HostConfig.PortBindings}} kept", "top idle-not", "system df", "system df --format json",
    "system df --format {{.Type}}:{{.Size}}:{{.Reclaimable}}", "system df --format table{{.Type}}\t{{.Active}}", "network ls -f driver=bridge",
    "volume ls -f dangling=false", "volume inspect data", "network inspect -f {{.Name}} net1", "image inspect -f {{.RepoTags}} bb",
)  # fmt: skip


@pytest.mark.parametrize("command", SAME)
def test_both_print_the_same(pair: tuple[Cli, Cli], command: str) -> None:
    words = command.replace("{{json.", "{{json .").replace("table{{", "table {{").split(" ")
    words = re.findall(r"\{\{json \.[\w.]*\}\}|table \{\{[^ ]*|\S+", " ".join(words))
    docker, hivelet = (cli(*words, status=None) for cli in pair)
    assert hivelet.status == docker.status
    assert ageless(hivelet.out) == ageless(docker.out)


def ageless(text: str) -> str:
    """Without ages, which may change in between."""
    return re.sub(
        r" +", " ", re.sub(r"(Less than an?|About an?|\d+) (second|minute|hour)s?", "some time", text, flags=re.I)
    )  # fmt: skip


def test_processes_are_the_same(pair: tuple[Cli, Cli]) -> None:
    for words in (["top", "kept"], ["top", "kept", "-o", "pid,args"]):
        docker, hivelet = (cli(*words).lines for cli in pair)
        assert [line.split()[:3] for line in hivelet] == [line.split()[:3] for line in docker]
