"""What people type for containers by hand: whatever it is, it is understood or refused with a reason, and never guessed at."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.cli import flag_values
from hivelet.cli.containers.archive import Landing, landing, relocated, split_place
from hivelet.cli.containers.go_flags import in_clicks_form
from hivelet.cli.containers.making.endpoints import networking
from hivelet.cli.containers.making.flags import create_flags
from hivelet.cli.containers.making.host import restart_policy
from hivelet.cli.containers.making.request import create_request
from hivelet.compose.ports import Port, parse_port
from hivelet.compose.volumes import parse_volume
from hivelet.errors import InvalidParameter

# Text of the letters that mean something in these languages, so that most of it is nearly right.
TYPED = st.text(alphabet="abz09:=,./-[]_ \\\"'", max_size=30)
NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
PATHS = st.from_regex(r"(/[a-z][a-z0-9]{0,5}){1,3}", fullmatch=True)


@click.command()
@create_flags
def _command(**_given: Any) -> None:
    """Stands for `create`."""


OPTIONS = [param for param in _command.params if isinstance(param, click.Option)]
NOTHING: dict[str, Any] = {
    str(option.name): () if option.multiple else (False if option.is_flag and option.default is False else None)
    for option in OPTIONS
}  # fmt: skip


@pytest.mark.parametrize(
    "parse",
    [
        flag_values.parse_mount,
        flag_values.network_fields,
        flag_values.parse_publish,
        flag_values.parse_ulimit,
        flag_values.parse_host,
        flag_values.parse_key_value,
        parse_port,
        parse_volume,
        restart_policy,
        split_place,
    ],
    ids=lambda parse: parse.__name__,
)
@given(text=TYPED | st.text(max_size=12))
def test_anything_is_understood_or_refused(parse: Callable[[str], Any], text: str) -> None:
    assert refusal(lambda: parse(text)) != ""


def refusal(act: Callable[[], object]) -> str | None:
    """Why it is refused; None where it is not."""
    try:
        act()
    except InvalidParameter as error:
        return error.message
    except ValueError as error:
        return str(error)
    return None


LISTS = ("publish", "expose", "volume", "mount", "tmpfs", "network", "device", "ulimit", "add_host", "sysctl", "log_opt",
         "cap_add", "device_read_bps", "blkio_weight_device", "link", "annotation", "storage_opt")  # fmt: skip
VALUES = ("memory", "memory_swap", "cpus", "restart", "health_interval", "shm_size", "gpus")


@given(option=st.sampled_from(LISTS + VALUES), text=TYPED)
def test_an_option_with_anything_makes_a_request_or_is_named(option: str, text: str) -> None:
    given_options = {**NOTHING, option: (text,) if option in LISTS else text}
    said = refusal(lambda: create_request(given_options, "image", [], [], {}))
    assert said is None or said.startswith(f"--{option.replace('_', '-')}") or "network" in said


@st.composite
def mounts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A mount as it is typed, and as it is meant."""
    kind = draw(st.sampled_from(["bind", "volume", "tmpfs"]))
    target = draw(PATHS)
    words = [f"type={kind}", f"{draw(st.sampled_from(['target', 'dst', 'destination']))}={target}"]
    meant: dict[str, Any] = {"Type": kind, "Target": target}
    if kind != "tmpfs":
        source = draw(PATHS if kind == "bind" else NAMES)
        words.append(f"{draw(st.sampled_from(['source', 'src']))}={source}")
        meant["Source"] = source
    if draw(st.booleans()):
        words.append(draw(st.sampled_from(["readonly", "ro", "readonly=true", "ro=1"])))
        meant["ReadOnly"] = True
    if kind == "tmpfs" and draw(st.booleans()):
        size = draw(st.integers(1, 1000))
        words.append(f"tmpfs-size={size}k")
        meant["TmpfsOptions"] = {"SizeBytes": size * 1024}
    return ",".join(draw(st.permutations(words))), meant


@given(mounts())
def test_a_mount_is_what_it_says(mount: tuple[str, dict[str, Any]]) -> None:
    text, meant = mount
    assert flag_values.parse_mount(text) == meant


@given(
    host=st.none() | st.ip_addresses(v=4) | st.ip_addresses(v=6),
    published=st.none() | st.integers(1, 65535),
    target=st.integers(1, 65535),
    protocol=st.sampled_from(["", "tcp", "udp", "sctp"]),
)
def test_a_port_is_what_it_says(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
    published: int | None,
    target: int,
    protocol: str,
) -> None:
    address = f"[{host}]" if host is not None and host.version == 6 else str(host or "")
    front = f"{address}:{published or ''}:" if address else f"{published}:" if published else ""
    text = f"{front}{target}{f'/{protocol}' if protocol else ''}"
    (port,) = parse_port(text)
    assert port == Port(target, published or 0, protocol or "tcp", str(host) if host else "")


@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2)), min_size=1, max_size=3, unique_by=lambda each: each[0]))  # fmt: skip
def test_every_network_has_its_own_names(networks: list[tuple[str, list[str]]]) -> None:
    words = [",".join([f"name={name}", *(f"alias={a}" for a in names)]) for name, names in networks]
    usual = {"host", "none", "default", "bridge"}
    if usual & {name for name, _ in networks}:
        return
    found = networking({**NOTHING, "network": tuple(words)})["EndpointsConfig"]
    assert {name: each.get("Aliases", []) for name, each in found.items()} == dict(networks)


@given(st.lists(TYPED.filter(lambda word: not word.startswith("-")), min_size=1), st.lists(TYPED))
def test_a_containers_command_is_left_as_it_is(first: list[str], rest: list[str]) -> None:
    words = ["--init", "-e", "A=--rm=false", *first[:1], *rest, "--rm=false"]
    assert list(in_clicks_form(words, OPTIONS, to_the_end=False)) == words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rm=true", "--init=false", "image"], ["--rm", "--no-init", "image"]),
        (["--rm=false", "-it", "image"], ["-it", "image"]),
        (["-e", "--rm=false", "image"], ["-e", "--rm=false", "image"]),
        (["-ite", "--rm=false", "image"], ["-ite", "--rm=false", "image"]),
        (["--name", "--rm=true", "image"], ["--name", "--rm=true", "image"]),
        (["--name=x", "--rm=T", "image"], ["--name=x", "--rm", "image"]),
        (["--", "--rm=true"], ["--", "--rm=true"]),
        (["--rm=maybe", "image"], ["--rm=maybe", "image"]),
    ],
)
def test_flags_may_have_values(words: list[str], expected: list[str]) -> None:
    assert list(in_clicks_form(words, OPTIONS, to_the_end=False)) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # name, is a directory, contents only; target, what it is
        (("f", False, False), ("/d", "directory"), Landing(directory="/d", name="f")),
        (("f", False, False), ("/d/g", ""), Landing(directory="/d", name="g")),
        (("f", False, False), ("/d/g", "file"), Landing(directory="/d", name="g")),
        (("f", False, False), ("g", ""), Landing(directory=".", name="g")),
        (("d", True, False), ("/e", "directory"), Landing(directory="/e", name="d")),
        (("d", True, True), ("/e", "directory"), Landing(directory="/e", name="")),
        (("d", True, False), ("/e/new", ""), Landing(directory="/e", name="new")),
        (("d", True, False), ("/e/new/", ""), Landing(directory="/e", name="new")),
        (("/", True, False), ("/e", "directory"), Landing(directory="/e", name="")),
    ],
)
def test_where_copies_land(
    source: tuple[str, bool, bool], target: tuple[str, str], expected: Landing
) -> None:
    name, is_directory, contents = source
    path, kind = target
    where = {"target": path, "target_is": kind, "parent_is": "directory"}
    assert landing(name=name, is_directory=is_directory, contents=contents, **where) == expected


@pytest.mark.parametrize(
    ("is_directory", "target", "target_is", "parent_is", "message"),
    [
        (True, "/f", "file", "directory", "cannot copy a directory to the file"),
        (False, "/d/", "", "directory", "make it first"),
        (False, "/d/f", "", "", "the directory above"),
    ],
)
def test_where_copies_cannot_land(
    is_directory: bool, target: str, target_is: str, parent_is: str, message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        landing(
            name="x", is_directory=is_directory, contents=False, target=target, target_is=target_is, parent_is=parent_is
        )  # fmt: skip


@given(name=NAMES, new=NAMES, inner=st.lists(NAMES, max_size=3))
def test_an_archives_top_is_renamed_and_nothing_else(name: str, new: str, inner: list[str]) -> None:
    assert relocated("/".join([name, *inner]), name, new) == "/".join([new, *inner])
    assert relocated("/".join([name, *inner]), name, "") == "/".join(inner)
