"""What goes to the kernel as a batch of ours is what nft's library makes of the same script, bit for bit."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from network_lab import INGRESS, WEBNET, backend, sh

from hivelet.network.family import FRAMES, IPV4, IPV6
from hivelet.network.netlink import nlmsg
from hivelet.network.netns import inside, new_namespace, pin_namespace, remove_namespace
from hivelet.network.nft import Nft, NftRefused, _Library, read_generation
from hivelet.network.nfwire.batch import Batch, encode
from hivelet.network.nfwire.door import BatchDoor, BatchRefused
from hivelet.network.rules.balance import spread_addresses, spread_port
from hivelet.network.rules.frames import Speaker, build_frames
from hivelet.network.rules.ruleset import EMPTY, Chain, Fragment, RuleBook, merge_scripts, tagged
from hivelet.network.rules.table import render_table

FAMILIES = (IPV4, IPV6, FRAMES)
GOLDEN = Path(__file__).parents[2] / "golden" / "nft"
TABLES = "".join(render_table(EMPTY, family=family) for family in FAMILIES)

_NFTABLES = 10 << 8
_DUMPS = {"chain": (4, 3), "rule": (7, 6), "set": (10, 9)}
"""Messages that ask for all of a kind, and those that answer."""
_LEFT_OUT = {"chain": {2}, "rule": {3, 6}, "set": {16}}
"""Handles, which count what was made before."""
_ELEMENTS, _ELEMENT_LIST = 13, 3
_TABLE, _NAME, _FLAGS, _ANONYMOUS = 1, 2, 3, 1
_EXPRESSIONS = 4


@dataclass
class Doors:
    """Two namespaces: in one the library writes, in the other we do."""

    libs: Path
    wires: Path
    library: _Library
    wire: BatchDoor

    def reset(self) -> None:
        with inside(self.libs):
            self.library.run(f"flush ruleset\n{TABLES}", as_json=False)
        with inside(self.wires):
            sh("nft flush ruleset")
            _Library(ctypes.CDLL("libnftables.so.1")).run(TABLES, as_json=False)

    def apply(self, script: str) -> None:
        """By both doors; afterwards the kernel has the same in both namespaces."""
        self.wire.carry_out(encode(script, self.wire.numbers))
        self.library.run(script, as_json=False)
        self.compare()

    def compare(self) -> None:
        found = []
        for where in (self.libs, self.wires):
            with inside(where):
                found.append((ruleset(), listing()))
        (libs, lib_listing), (wires, wire_listing) = found
        assert libs.keys() == wires.keys()
        for what, one in libs.items():
            for lib, wire in zip(one, wires[what], strict=True):
                assert lib == wire, what
        assert lib_listing == wire_listing


@pytest.fixture
def doors(home) -> Iterator[Doors]:
    libs, wires = home / "libs", home / "wires"
    with contextlib.ExitStack() as stack:
        for path in (libs, wires):
            with new_namespace() as namespace:
                pin_namespace(namespace, path)
            stack.callback(remove_namespace, path)
        with inside(libs):
            library = _Library(ctypes.CDLL("libnftables.so.1"))
        with inside(wires):
            wire = BatchDoor()
        stack.callback(wire.close)
        yield Doors(libs, wires, library, wire)


def listing() -> list[object]:
    """As nft reads it, without handles."""
    entries = json.loads(sh("nft -j list ruleset"))["nftables"]
    for entry in entries:
        for one in entry.values():
            one.pop("handle", None)
    return entries


def ruleset() -> dict[str, object]:
    """Chains, rules, sets and elements as the kernel has them. Anonymous sets are numbered as they come."""
    sets = [(b[0], nlmsg.split_attributes(b, 4)) for b in dump("set")]
    names: dict[tuple[int, bytes], bytes] = {}
    for family, one in sets:
        if int.from_bytes(one.get(_FLAGS, b""), "big") & _ANONYMOUS:
            names[family, one[_NAME]] = b"anonymous %d" % len(names)
    found: dict[str, object] = {"chain": [tidy("chain", b) for b in dump("chain")]}
    found["set"] = [
        (
            family,
            names.get((family, one[_NAME]), one[_NAME]),
            without(one, {_NAME, *_LEFT_OUT["set"]}),
        )
        for family, one in sets
    ]
    found["rule"] = []
    for body in dump("rule"):
        rule = nlmsg.split_attributes(body, 4)
        expressions = [
            (one[1], read_expression(body[0], one[2], names) if 2 in one else None)
            for one in map(nlmsg.split_attributes, split_list(rule[_EXPRESSIONS]))
        ]
        found["rule"].append((tidy("rule", body, {_EXPRESSIONS}), expressions))
    for family, one in sets:
        request = nlmsg.attribute(1, one[_TABLE]) + nlmsg.attribute(2, one[_NAME])
        lists = ask(_ELEMENTS, 12, bytes((family, 0, 0, 0)) + request)
        elements = (nlmsg.split_attributes(body, 4).get(_ELEMENT_LIST, b"") for body in lists)
        label = f"{family} {names.get((family, one[_NAME]), one[_NAME])!r}"
        found[label] = sorted(element for data in elements for element in split_list(data))
    return found


def tidy(what: str, body: bytes, more: set[int] = frozenset()) -> object:
    return body[0], without(nlmsg.split_attributes(body, 4), _LEFT_OUT[what] | more)


def without(attributes: dict[int, bytes], kinds: set[int]) -> object:
    return sorted((kind, value) for kind, value in attributes.items() if kind not in kinds)


def read_expression(family: int, data: bytes, names: dict[tuple[int, bytes], bytes]) -> object:
    """An expression's attributes; the name of an anonymous set among them is put as it is numbered."""
    attributes = nlmsg.split_attributes(data).items()
    return sorted((kind, names.get((family, value), value)) for kind, value in attributes)


def split_list(data: bytes) -> Iterator[bytes]:
    """The members of a list."""
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from("=H", data, place)
        yield data[place + 4 : place + length]
        place += (length + 3) & ~3


def dump(what: str) -> list[bytes]:
    return ask(*_DUMPS[what], bytes(4))


def ask(question: int, answer: int, body: bytes) -> list[bytes]:
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as door:
        door.send(nlmsg.message(_NFTABLES | question, nlmsg.REQUEST | nlmsg.DUMP, body))
        while True:
            for kind, _, content in nlmsg.split_messages(door.recv(1 << 17)):
                if kind == nlmsg.DONE:
                    return found
                assert kind == _NFTABLES | answer, nlmsg.error_number(content)
                found.append(content)


# What services, sandboxes and ports contribute, in small numbers so that they meet each other.
NUMBERS = st.integers(2, 9)
PLACES = {IPV4: "10.0.1.{}", IPV6: "2001:db8::{}"}


@st.composite
def service(draw, family, owner):
    count = draw(st.integers(0, 4))
    affinity = draw(st.booleans())
    chosen = draw(st.lists(NUMBERS, min_size=count, max_size=count, unique=True))
    addresses = [PLACES[family].format(one) for one in chosen]
    protocol = draw(st.sampled_from(["tcp", "udp", "sctp"]))
    vip, port = f"vip_{owner}", f"port_{owner}"
    chains = {
        vip: Chain(
            rules=spread_addresses(addresses, affinity=affinity, family=family), comment=owner
        ),
        port: Chain(
            rules=spread_port(addresses, protocol, 80, affinity=affinity, family=family),
            comment=draw(st.sampled_from(["", "a port"])),
        ),
    }
    number = draw(NUMBERS)
    elements = {
        ("vips", f'"hv-a" . {PLACES[family].format(100 + number)}'): f"goto {vip}",
        ("vips_of_host", PLACES[family].format(100 + number)): f"goto {vip}",
        ("published", f"{protocol} . {8000 + number}"): f"goto {port}",
        ("published_at", f"{PLACES[family].format(1)} . udp . {number}"): f"goto {port}",
    }
    if draw(st.booleans()):
        return Fragment(chains={vip: chains[vip]}, elements=dict(list(elements.items())[:2]))
    return Fragment(chains=chains, elements=elements)


@st.composite
def sandbox(draw, family):
    one, other = (PLACES[family].format(draw(NUMBERS)) for _ in range(2))
    elements = {("hairpin", f"{one} . {other}"): "", ("members", f'"hv-a" . {one}'): ""}
    elements |= {("bridges", '"hv-a"'): "", ("open", '"hv-a" . "docker_gwbridge"'): ""}
    elements |= {("internal", '"hv-a"'): ""} if draw(st.booleans()) else {}
    if family is IPV4:
        elements[("resolver_of", one)] = f"169.254.52.{draw(NUMBERS)}"
        elements[("askers", f'"hv-a" . {one} . 169.254.52.1')] = ""
    return Fragment(elements=elements)


@st.composite
def speaker(draw, owner):
    number = draw(NUMBERS)
    address6 = draw(st.sampled_from(["", f"fd00::{number}", f"2001:db8::{number}"]))
    leg = Speaker(
        port=f"hv{owner}_0",
        mac=f"02:42:0a:00:00:0{number}",
        address=f"10.0.0.{number}",
        address6=address6,
    )
    return build_frames([leg])


@st.composite
def change(draw):
    """Who contributes something else from now on, by family; some take all back."""
    found = {}
    for family in FAMILIES:
        fragments = {}
        for owner in draw(st.sets(st.sampled_from(["a", "b", "c", "box"]), max_size=3)):
            if draw(st.integers(0, 3)) == 0:
                fragments[owner] = EMPTY
            elif family is FRAMES:
                fragments[owner] = draw(speaker(owner))
            elif owner == "box":
                fragments[owner] = draw(sandbox(family))
            else:
                fragments[owner] = draw(service(family, owner))
        found[family] = fragments
    return found


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=st.lists(change(), min_size=1, max_size=6))
def test_whatever_changes_the_kernel_has_the_same_from_both_doors(doors, changes):
    doors.reset()
    books = {family: RuleBook() for family in FAMILIES}
    for one in changes:
        plans = [books[f].update(one[f]).scripts(f.table) for f in FAMILIES]
        for script in merge_scripts(plans):
            doors.apply(script)


def contributed(path: Path) -> Fragment:
    """The chains and elements of a golden table that are no part of every table's."""
    chains: dict[str, Chain] = {}
    elements: dict[tuple[str, str], str] = {}
    where, interval, rules, comment = "", False, [], ""
    for line in map(str.strip, path.read_text().splitlines()):
        words = line.split(" ")
        if words[0] in ("set", "map", "chain") and words[-1] == "{":
            where, interval, rules, comment = line.removesuffix(" {"), False, [], ""
        elif line == "}":
            if where.startswith(("chain vip_", "chain port_", "chain from_hv")):
                chains[where.partition(" ")[2]] = Chain(rules=tuple(rules), comment=comment)
            where = ""
        elif where.startswith("chain"):
            if words[0] == "comment":
                comment = line.split('"')[1]
            else:
                rules.append(line)
        elif words[0] == "type":
            interval = "flags" in words
        elif where and not interval and "{" not in line and words[0] != "comment":
            key, _, value = line.removesuffix(",").partition(" : ")
            elements[where.partition(" ")[2], key] = value
    return Fragment(chains=chains, elements=elements)


def test_golden_rulesets_are_the_same_from_both_doors(doors):
    doors.reset()
    books = {family: RuleBook() for family in FAMILIES}
    for name, family in (("seed_stack", IPV4), ("dual_stack", IPV6), ("frames", FRAMES)):
        fragment = contributed(GOLDEN / f"{name}.nft")
        assert fragment.chains
        assert fragment.elements
        for script in books[family].update({name: fragment}).scripts(family.table):
            doors.apply(script)
    withdrawn = (GOLDEN / "withdraw.nft").read_text().splitlines()
    doors.apply("".join(f"{tagged_command(line)}\n" for line in withdrawn))
    for name, family in (("seed_stack", IPV4), ("dual_stack", IPV6), ("frames", FRAMES)):
        for script in books[family].update({name: EMPTY}).scripts(family.table):
            doors.apply(script)


def tagged_command(line: str) -> str:
    match = re.fullmatch(r"(add rule \S+ \S+ \S+) (.*)", line)
    return f"{match[1]} {tagged(match[2])}" if match else line


def large(count: int) -> str:
    """A chain for each of so many services, and one with so many backends."""
    addresses = [f"10.{n // 200}.{n % 200}.7" for n in range(count)]
    fragment = Fragment(
        chains={
            "vip_all": Chain(rules=spread_addresses(addresses, affinity=False)),
            **{
                f"vip_{n}": Chain(rules=spread_addresses([a], affinity=False))
                for n, a in enumerate(addresses)
            },
        },
        elements={("vips", f'"hv-a" . {a}'): f"goto vip_{n}" for n, a in enumerate(addresses)},
    )
    return "".join(RuleBook().update({"all": fragment}).scripts(IPV4.table))


def test_a_transaction_may_be_large(doors):
    doors.reset()
    doors.apply(large(3000))


REFUSED = [
    ("add rule ip hivelet gone drop", errno.ENOENT),
    ("delete chain ip hivelet to-container", errno.EBUSY),
    ("delete chain ip hivelet gone", errno.ENOENT),
    ('add element ip hivelet vips { "hv-a" . 10.0.0.1 : goto gone }', errno.ENOENT),
    ("delete element ip hivelet published { tcp . 80 }", errno.ENOENT),
]


@pytest.mark.parametrize(("line", "number"), REFUSED)
@pytest.mark.parametrize("times", [1, 2000])
def test_a_refused_transaction_names_its_line_and_leaves_nothing(doors, line, number, times):
    doors.reset()
    line = tagged_command(line)
    script = "add chain ip hivelet mine\n" + f"{line}\n" * times + "add chain ip hivelet more\n"
    with pytest.raises(BatchRefused) as caught:
        doors.wire.carry_out(encode(script, doors.wire.numbers))
    assert str(caught.value) == f"Could not process rule: {os.strerror(number)}\n{line}"
    doors.compare()
    doors.apply("add chain ip hivelet mine\n")


def test_another_program_may_change_rules_meanwhile(doors):
    doors.reset()
    loop = "while :; do nft add table ip another; nft delete table ip another; done"
    with inside(doors.wires):
        other = subprocess.Popen(["sh", "-c", loop], start_new_session=True)
        generation, sent, until = read_generation(), 0, time.monotonic() + 60
        try:
            while read_generation() - generation - sent < 20:
                assert time.monotonic() < until
                for verb in ("add", "delete"):
                    line = f"{verb} element ip hivelet hairpin {{ 10.0.0.7 . 10.0.0.1 }}\n"
                    doors.wire.carry_out(encode(line, doors.wire.numbers))
                    sent += 1
        finally:
            os.killpg(other.pid, signal.SIGKILL)
            other.wait()
        assert sent >= 2
        assert "10.0.0.7" not in sh("nft list set ip hivelet hairpin")


def test_a_batch_that_is_refused_as_a_whole(doors):
    """It is none of nftables, by its first message."""
    doors.reset()
    batch = encode("add chain ip hivelet mine\n", doors.wire.numbers)
    unknown = struct.pack("=IHHII", 20, 0x10, 1, 1, 0) + bytes((0, 0, 0, 99))
    with pytest.raises(BatchRefused, match="Could not process rule"):
        doors.wire.carry_out(Batch(unknown + batch.packet[20:], batch.lines))
    doors.compare()


async def test_what_is_not_known_here_is_the_librarys(home):
    nft = Nft()
    await nft.apply(render_table(EMPTY))
    assert (nft.by_wire, nft.by_library) == (0, 1)
    await nft.apply('add element ip hivelet bridges { "hv-a" }\n')
    assert (nft.by_wire, nft.by_library) == (1, 1)
    await nft.apply(
        'add element ip hivelet bridges { "hv-b" }\n'
        "add element ip hivelet subnets { 10.0.0.0/24 }\n"
    )
    assert (nft.by_wire, nft.by_library) == (1, 2)
    state = await nft.read_table()
    nft.close()
    assert state.elements.keys() == {
        ("bridges", "hv-a"),
        ("bridges", "hv-b"),
        ("subnets", "10.0.0.0/24"),
    }


async def test_the_words_of_a_refusal_are_nfts(home):
    nft = Nft()
    await nft.apply(render_table(EMPTY))
    with pytest.raises(NftRefused, match=r"(?s)No such file or directory.*goto gone"):
        await nft.apply('add element ip hivelet vips { "hv-a" . 10.0.0.1 : goto gone }\n')
    assert nft.carried_out == nft.by_library == 1
    nft.close()


async def test_what_the_kernel_refuses_of_us_alone_is_carried_out_by_nft(home, monkeypatch):
    def refuse(self, batch):
        raise BatchRefused("Could not process rule: Operation not supported")

    nft = Nft()
    await nft.apply(render_table(EMPTY))
    with monkeypatch.context() as changed:
        changed.setattr(BatchDoor, "carry_out", refuse)
        await nft.apply('add element ip hivelet bridges { "hv-a" }\n')
    assert (nft.by_wire, nft.by_library) == (0, 2)
    assert (await nft.read_table()).elements == {("bridges", "hv-a"): ""}
    nft.close()


async def test_what_the_kernel_has_not_answered_is_not_done_twice(home, monkeypatch):
    nft = Nft()
    await nft.apply(render_table(EMPTY) + "add chain ip hivelet mine\n")
    rule = tagged_command("add rule ip hivelet mine drop")
    with monkeypatch.context() as changed:
        changed.setattr(BatchDoor, "_read_answers", lambda self: ({}, "No buffer space available"))
        with pytest.raises(NftRefused, match="No buffer space"):
            await nft.apply(rule + "\n")
    assert len((await nft.read_table()).chains["mine"]) == 1
    nft.close()


async def test_a_door_that_cannot_be_opened_is_a_refusal(home, monkeypatch):
    def refuse(self, level, option, value):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    nft = Nft()
    monkeypatch.setattr(socket.socket, "setsockopt", refuse)
    with pytest.raises(NftRefused, match="cannot be reached: Too many open files"):
        await nft.apply("add chain ip hivelet mine\n")
    nft.close()


async def test_services_and_sandboxes_come_and_go_without_the_library(web):
    nft = web.plane._nft
    before, sent = nft.by_library, nft.by_wire
    await web.plane.withdraw("web2")
    await web.plane.admit(backend(web.sandboxes["web2"], "web2"))
    legs = ((WEBNET, "10.0.1.20/24"), (INGRESS, "10.0.0.20/24"))
    await web.plane.admit(backend(await web.task("web4", *legs), "web4"))
    await web.plane.withdraw("web4")
    await web.plane.remove_sandbox(web.sandboxes["web4"].container_id)
    web.plane.set_services({})
    await web.plane._writer.settle()
    assert nft.by_library == before
    assert nft.by_wire >= sent + 6


async def test_changes_of_others_are_told_from_ours_by_the_kernels_count(home):
    nft = Nft()
    await nft.apply(render_table(EMPTY))
    before = await nft.foreign_generation()
    await nft.apply('add element ip hivelet bridges { "hv-a" }\n')
    with pytest.raises(NftRefused):
        await nft.apply('delete element ip hivelet bridges { "hv-b" }\n')
    await nft.apply("add element ip hivelet subnets { 10.0.0.0/24 }\n")
    await nft.read_table()
    assert await nft.supports(IPV6)
    assert await nft.foreign_generation() == before
    await asyncio.to_thread(sh, "nft add table ip another")
    assert await nft.foreign_generation() == before + 1
    nft.close()
