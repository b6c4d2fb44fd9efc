"""Each flag of `docker service create` and `update` does what the table says, tried with the docker command line."""

from __future__ import annotations

import re
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def playground() -> Iterator[Swarm]:
    """A swarm with what the rows name: a network, a secret, a config, a file of variables, a GPU."""
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
        yield Swarm(machine, daemon, docker)
        docker("swarm", "leave", "--force")
        assert daemon.stop() == 0


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
        words = (*row.before, "--detach", "--no-resolve-image", "--name", name)
        if "--mode" not in words:
            # Nothing of it needs to run.
            words = (*words, "--replicas", "0")
        playground.cli("service", "create", *words, "bb:latest", "sleep", "1000")
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
    script = (row.shows.way == "says" and row.shows.where) or "true"
    words = [str(swarm.machine.dir / "variables") if w == "ENVFILE" else w for w in row.words]
    command = (
        ["sh", "-c", f"trap exit TERM INT; {script}; sleep 1000 & wait"]
        if row.flag != "--entrypoint"
        else []
    )
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
        swarm.cli("service", "update", "--detach", "--no-resolve-image", *row.words, name)
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
    if shows.way == "spec":
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
    lines = swarm.cli("service", "logs", "--raw", name).out.replace("\r", "").strip()
    text: str = lines
    return text.removeprefix("options ")


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
