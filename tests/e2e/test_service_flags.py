"""Each flag of `docker service create` and `update` does what the table says, tried with the docker command line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from harness.cli import Cli, CommandEnded, make_cli
from harness.daemons import Hiveletd
from harness.images import import_busybox
from harness.machine import Machine
from harness.swarm import Swarm
from harness.waiting import wait_until
from service_flags import CREATE, UPDATE, Row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DNS = "127.9.9.9"
ANSWERER = f"""
import socket
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.bind(("{DNS}", 53))
while True:
    query, client = door.recvfrom(512)
    end = query.index(0, 12) + 5
    record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\1\\0\\4" + bytes([192, 0, 2, 99])
    door.sendto(query[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + query[12:end] + record, client)
"""
"""A name server that gives one address for every name."""


@pytest.fixture(scope="module")
def playground() -> Iterator[Swarm]:
    """A swarm with what the rows name: a network, a secret, a config, variables, a GPU, a directory, a name server."""
    with Machine("flags") as machine:
        daemon = Hiveletd(machine, "--node-generic-resource", "gpu=g0")
        daemon.start()
        docker = make_cli("docker-28", daemon.host, machine.dir)
        import_busybox(docker, machine.dir)
        docker("swarm", "init")
        docker("network", "create", "--driver", "overlay", "net")
        for kind, name, text in (
            ("secret", "password", "hunter2\n"),
            ("config", "conf", "settings\n"),
        ):
            path = machine.dir / name
            path.write_text(text)
            docker(kind, "create", name, str(path))
        (machine.dir / "variables").write_text("FROM=file\n")
        make_tree(machine)
        make_volume(docker)
        machine.popen(["python3", "-c", ANSWERER])
        yield Swarm(machine, daemon, docker)
        docker("swarm", "leave", "--force")
        assert daemon.stop() == 0


def make_tree(machine: Machine) -> None:
    """A shared mount with a file, and a file system of its own below it."""
    tree = machine.dir / "tree"
    tree.mkdir()
    machine.run(["mount", "-t", "tmpfs", "tmpfs", str(tree)])
    machine.run(["mount", "--make-shared", str(tree)])
    machine.run(["sh", "-c", f"touch {tree}/a; mkdir {tree}/inner"])
    machine.run(["mount", "-t", "tmpfs", "tmpfs", f"{tree}/inner"])
    machine.run(["touch", f"{tree}/inner/b"])


def make_volume(docker: Cli) -> None:
    """A volume with something in it."""
    docker("volume", "create", "filled")
    place = Path(docker.json("volume", "inspect", "filled")[0]["Mountpoint"])
    (place / "part").mkdir()
    (place / "part/inside").touch()


def words_of(swarm: Swarm, words: tuple[str, ...]) -> list[str]:
    """An example's words, with what only this machine knows filled in."""
    places = {
        "ENVFILE": str(swarm.machine.dir / "variables"),
        "HOSTDIR": str(swarm.machine.dir / "tree"),
        "DNS": DNS,
    }
    filled = []
    for word in words:
        for name, place in places.items():
            word = re.sub(rf"\b{name}\b", place, word)
        filled.append(word)
    return filled


def program(row: Row) -> list[str]:
    """The command of a row's service: the row's script, then a wait that ends at once when it is told to."""
    script = (row.shows.way in {"says", "stops"} and row.shows.where) or "true"
    ends = "" if row.shows.way == "stops" else "trap exit TERM INT; "
    return ["sh", "-c", f"{ends}{script}; sleep 1000 & wait; wait"]


def flags_of(docker: Cli, command: str) -> set[str]:
    return set(
        re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", docker("service", command, "--help").out, re.M)
    )


@pytest.mark.parametrize(("command", "table"), [("create", CREATE), ("update", UPDATE)])
def test_the_table_has_every_flag_and_no_other(playground, command, table) -> None:
    assert {row.flag for row in table} == flags_of(playground.cli, command)


def test_create(playground: Swarm) -> None:
    """All services first, then what became of each."""
    made: list[tuple[str, Row]] = []
    for number, row in enumerate(CREATE):
        name = f"c{number}"
        if row.shows.way == "client":
            continue
        done = make(playground, name, row)
        if row.shows.way == "refused":
            assert row.shows.value in done, row.flag
        else:
            assert done == "", f"{row.flag}: {done}"
            made.append((name, row))
    wrong = together(lambda name, row: check(playground, name, row), made)
    remove(playground, [name for name, _ in made])
    assert not wrong, "\n".join(wrong)


def test_update(playground: Swarm) -> None:
    made = []
    for number, row in enumerate(UPDATE):
        if row.shows.way == "client":
            continue
        name = f"u{number}"
        words = (
            *words_of(playground, row.before),
            "--detach",
            "--no-resolve-image",
            "--name",
            name,
        )
        if "--mode" not in words and row.shows.way in {"stored", "refused"}:
            # Nothing of it needs to run.
            words = (*words, "--replicas", "0")
        command = [] if row.flag == "--entrypoint" else program(row)
        if row.flag == "--entrypoint":
            words = (*words, "--entrypoint", "sleep 1000")
        playground.cli("service", "create", *words, "bb:latest", *command)
        made.append((name, row))
    wrong = together(lambda name, row: change(playground, name, row), made)
    remove(playground, [name for name, _ in made])
    assert not wrong, "\n".join(wrong)


def together(look: Callable[[str, Row], str], made: list[tuple[str, Row]]) -> list[str]:
    """What `look` finds wrong of each; several at a time, for most of it is waiting for command lines."""
    with ThreadPoolExecutor(4) as pool:
        return [told for told in pool.map(lambda pair: look(*pair), made) if told]


def make(swarm: Swarm, name: str, row: Row) -> str:
    """Create the service of a row; the answer is the refusal, if any."""
    words = words_of(swarm, row.words)
    command = program(row) if row.flag != "--entrypoint" else []
    try:
        swarm.cli(
            "service", "create", "--detach", "--no-resolve-image", "--name", name, *words,
            "bb:latest", *command,
        )  # fmt: skip
    except CommandEnded as error:
        return str(error)
    return ""


def change(swarm: Swarm, name: str, row: Row) -> str:
    """Update the service of a row; the answer is what is not as the row says."""
    try:
        if row.shows.way in {"says", "stops", "has"}:
            swarm.until_running(name, 1)
        swarm.cli(
            "service", "update", "--detach", "--no-resolve-image", *words_of(swarm, row.words), name
        )
    except CommandEnded as error:
        fits = row.shows.way == "refused" and row.shows.value in str(error)
        return "" if fits else f"{row.flag}: {error}"
    if row.shows.way == "refused":
        return f"{row.flag}: not refused"
    return check(swarm, name, row)


def check(swarm: Swarm, name: str, row: Row) -> str:
    """What of a service is not as its row says; "" where all is."""
    shows = row.shows
    if shows.way == "says":
        return until(lambda: said(swarm, name), shows.value, row)
    if shows.way == "stops":
        return stopped(swarm, name, row)
    if shows.way == "stored":
        found = dig(swarm.cli.json("service", "inspect", name)[0]["Spec"], shows.where)
        wanted = shows.value
        if wanted == "NET":
            wanted = swarm.cli.json("network", "inspect", "net")[0]["Id"]
        return "" if (found or None) == wanted else f"{row.flag}: {shows.where} is {found!r}"
    return until(lambda: dig(container(swarm, name), shows.where), shows.value, row)


def until(look: Any, wanted: Any, row: Row) -> str:
    try:
        wait_until(lambda: look() == wanted, timeout=15, what=f"{row.flag} to show {wanted!r}")
    except AssertionError:
        return f"{row.flag}: {look()!r}, not {wanted!r}"
    return ""


def said(swarm: Swarm, name: str) -> str:
    """What the running task has printed: of an updated service, the new one."""
    ids = swarm.container_ids(name)
    return printed(swarm, ids[0]) if len(ids) == 1 else ""


def printed(swarm: Swarm, container_id: str) -> str:
    done = swarm.cli("logs", container_id, status=None)
    text: str = (done.out + done.err).replace("\r", "").strip()
    return text.removeprefix("options ")


def stopped(swarm: Swarm, name: str, row: Row) -> str:
    """Stop the container of a row's service once its script has run, and see what it printed."""
    ready = row.shows.value.splitlines()[0]
    wrong = until(lambda: said(swarm, name).splitlines()[:1], [ready], row)
    if wrong:
        return wrong
    wanted = shows_stop(swarm, name, row)
    if not wanted:
        return f"{row.flag}: the running task is not of the new spec"
    begun = time.monotonic()
    swarm.cli("stop", wanted)
    if time.monotonic() - begun > 8:
        return f"{row.flag}: it took the default grace period to stop"
    text = printed(swarm, wanted)
    return "" if text == row.shows.value else f"{row.flag}: {text!r}, not {row.shows.value!r}"


def shows_stop(swarm: Swarm, name: str, row: Row) -> str:
    """The container that has the flag's value: an update may still be replacing the one before."""
    key = {"--stop-signal": "StopSignal", "--stop-grace-period": "StopTimeout"}[row.flag]
    wanted: Any = "SIGUSR1" if key == "StopSignal" else 1
    if until(lambda: dig(container(swarm, name), f"Config.{key}"), wanted, row):
        return ""
    found: str = container(swarm, name)["Id"]
    wait_until(lambda: printed(swarm, found), timeout=15, what="its script to have run")
    return found


def container(swarm: Swarm, name: str) -> Any:
    ids = swarm.container_ids(name)
    return swarm.cli.json("inspect", ids[0])[0] if ids else {}


def dig(data: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(data, list):
            data = data[int(key)] if int(key) < len(data) else None
        else:
            data = (data or {}).get(key)
    return data


def remove(swarm: Swarm, names: list[str]) -> None:
    swarm.cli("service", "rm", *names)
    wait_until(
        lambda: not swarm.cli("ps", "--quiet").out.strip(), timeout=60, what="all containers to go"
    )


def test_a_log_is_bounded(playground: Swarm) -> None:
    """`max-size` times `max-file` is the most that a container's log takes."""
    words = (
        "--log-driver",
        "json-file",
        "--log-opt",
        "max-size=64k",
        "--log-opt",
        "max-file=2",
        "--stop-grace-period",
        "1s",
    )
    script = (
        "i=0; while [ $i -lt 8000 ]; do echo line $i of many; i=$((i+1)); done; exec sleep 1000"
    )
    playground.cli(
        "service", "create", "--detach", "--no-resolve-image", "--name", "talker", *words,
        "bb:latest", "sh", "-c", script,
    )  # fmt: skip
    wait_until(lambda: "line 7999" in said(playground, "talker"), timeout=30, what="the last line")
    path = Path(container(playground, "talker")["LogPath"])
    assert path.stat().st_size <= 128 * 1024
    remove(playground, ["talker"])
