"""The table that is there is adopted: what fits is left, what differs is mended, with real nft."""

from __future__ import annotations

import asyncio

import pytest
from network_lab import GATEWAY, HOST, INGRESS, VIP, WEBNET, backend, sh, web_service

from hivelet.network.family import IPV4, IPV6
from hivelet.network.nft import Nft
from hivelet.network.rules.base_chains import base_chains
from hivelet.network.rules.repair import mend_table, stand_in
from hivelet.network.rules.ruleset import Chain, Fragment
from hivelet.network.rules.table import render_table

TASKS = ("web1", "web2", "web3")
VIP_CHAIN = f"vip_webid_{WEBNET.id}"

WANTED = Fragment(
    chains={
        "vip_a": Chain(rules=("meta l4proto tcp dnat to 10.0.1.3", "drop"), comment="a"),
        "vip_b": Chain(
            rules=("meta l4proto tcp dnat to numgen inc mod 2 map { 0 : 10.0.1.3, 1 : 10.0.1.4 }",)
        ),
    },
    elements={
        ("bridges", '"hv-a"'): "",
        ("bridges", '"docker_gwbridge"'): "",
        ("open", '"hv-a" . "hv-a"'): "",
        ("uplinks", "10.0.0.0/24"): "",
        ("uplinks", "10.0.1.0/24"): "",
        ("hairpin", "10.0.1.3 . 10.0.1.3"): "",
        ("askers", '"hv-a" . 10.0.1.3 . 169.254.52.1'): "",
        ("resolver_of", "10.0.1.3"): "169.254.52.1",
        ("vips", '"hv-a" . 10.0.1.2'): "goto vip_a",
        ("vips_of_host", "10.0.1.2"): "goto vip_b",
        ("balanced", "sctp"): "",
        ("published", "tcp . 8000"): "goto vip_a",
        ("published", "sctp . 8000"): "goto vip_a",
        ("published_at", "127.0.0.1 . udp . 53"): "goto vip_b",
    },
)


WANTED6 = Fragment(
    chains={"vip_a": Chain(rules=("meta l4proto tcp dnat to fd00:0:0:1::3",))},
    elements={
        ("bridges", '"hv-a"'): "",
        ("uplinks", "fd00:0:0:1::/64"): "",
        ("uplinks", "fd00::/64"): "",
        ("hairpin", "fd00:0:0:1::3 . fd00::3"): "",
        ("vips", '"hv-a" . fd00:0:0:1::2'): "goto vip_a",
        ("published", "tcp . 8000"): "goto vip_a",
        ("published_at", "::1 . udp . 53"): "goto vip_a",
    },
)


@pytest.fixture
async def nft(home):
    door = Nft()
    yield door
    door.close()


async def mend(nft: Nft) -> list[str]:
    """Mend the table; returns what was found. Mended, it is as it should be."""
    repair = mend_table(await nft.read_table(), WANTED, patience=True)
    for script in repair.scripts:
        await nft.apply(script)
    again = mend_table(await nft.read_table(), WANTED, patience=True)
    assert (again.scripts, again.found) == ((), ())
    assert await nft.read_table(stand_in(IPV4)) is None
    return list(repair.found)


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("delete element {t} vips {{ hv-a . 10.0.1.2 }}", "hv-a . 10.0.1.2 is missing in vips"),
        ("delete element {t} vips_of_host {{ 10.0.1.2 }}", "10.0.1.2 is missing in vips_of_host"),
        ("flush set {t} balanced", "sctp is missing in balanced"),
        ("flush set {t} bridges", "hv-a is missing in bridges"),
        ("add element {t} uplinks {{ 10.9.0.0/16 }}", "10.9.0.0/16 is too many in uplinks"),
        ("add element {t} bridges {{ eth0 }}", "eth0 is too many in bridges"),
        ("add element {t} published {{ tcp . 6 : drop }}", "tcp . 6 is too many in published"),
        ("flush chain {t} vip_a", "the rules of vip_a differ"),
        ("insert rule {t} vip_b counter", "the rules of vip_b differ"),
        ("add rule {t} filter-forward counter", "the rules of filter-forward differ"),
        ("add chain {t} filter-forward {{ policy drop; }}", "the policy of filter-forward is drop"),
        ("add chain {t} mine; add rule {t} mine jump vip_a", "the chain mine is not ours"),
        ("add set {t} mine {{ type ifname; }}", "the set or map mine is not ours"),
        (
            "flush chain {t} nat-output; delete chain {t} nat-output",
            "the chain nat-output is missing",
        ),
        (
            "flush chain {t} nat-postrouting; delete ct timeout {t} patient",
            "the object patient is missing",
        ),
        ("delete table {t}", "the table ip hivelet is missing"),
        (
            "flush chain {t} filter-input; delete chain {t} filter-input;"
            "add chain {t} filter-input {{ type filter hook input priority 5; }}",
            "the chain filter-input is type filter hook input priority 5, "
            "not type filter hook input priority 0",
        ),
    ],
)
async def test_what_was_tampered_with_is_found_and_mended(nft, tamper, found):
    await nft.apply(render_table(WANTED))
    assert await mend(nft) == []
    sh(f"nft '{tamper.format(t=IPV4.table)}'")
    assert found in await mend(nft)


@pytest.fixture
async def web(lab):
    lab.plane.set_services(web_service())
    for number, name in enumerate(TASKS, 3):
        legs = ((WEBNET, f"10.0.1.{number}/24"), (INGRESS, f"10.0.0.{number}/24"))
        await lab.plane.admit(backend(await lab.task(name, *legs), name))
    await lab.task("caller", (WEBNET, "10.0.1.10/24"), (GATEWAY, None), serve=False)
    return lab


async def take_over(lab, tasks=TASKS) -> None:
    """Another hiveletd comes, with these tasks running."""
    await lab.restart()
    lab.plane.set_services(web_service())
    for name in tasks:
        await lab.plane.admit(backend(lab.sandboxes[name], name))
    await lab.plane.resume()


def rules() -> str:
    """All rules with their handles, which a rule that is written anew does not keep."""
    return sh(f"nft -a list table {IPV4.table}")


async def test_a_restart_writes_no_rule(web):
    before = rules()
    await take_over(web)
    assert rules() == before


async def test_a_restart_writes_what_has_changed_meanwhile(web):
    before = rules().splitlines()
    await take_over(web, TASKS[:2])
    after = rules().splitlines()
    assert await web.count("caller", VIP, 80, 10) == {"web1": 5, "web2": 5}
    # Three chains (the VIP's, TCP's and UDP's port) lost their rules and got new ones; nothing else was touched.
    written = [line for line in after if "hv:" in line and line not in before]
    assert written != []
    assert [line for line in written if "dnat" not in line] == []


async def test_a_table_of_another_version_is_replaced_under_traffic(web):
    await web.plane.stop()
    sh(
        f"nft 'flush chain {IPV4.table} {base_chains(patience=False)[-1].name}; delete chain {IPV4.table} {base_chains(patience=False)[-1].name};"
        f"add chain {IPV4.table} {base_chains(patience=False)[-1].name} {{ type nat hook postrouting priority 99; }};"
        f"add rule {IPV4.table} {base_chains(patience=False)[-1].name} ip saddr . ip daddr @hairpin masquerade;'"
    )
    failures, asked, done = [], 0, asyncio.Event()

    async def client(where, address, port):
        nonlocal asked
        while not done.is_set():
            asked += 1
            try:
                await web.ask(where, address, port)
            except (OSError, TimeoutError) as error:
                failures.append((where, error))

    before = rules()
    async with asyncio.TaskGroup() as group:
        group.create_task(client("outside", HOST, 8000))
        group.create_task(client("caller", VIP, 80))
        await take_over(web)
        done.set()
    assert failures == []
    assert asked > 4
    assert "priority srcnat - 1;" in before
    assert "priority srcnat - 1;" not in rules()
    assert sorted(sh("nft list tables").splitlines()) == [
        "table bridge hivelet",
        *(f"table {family.table}" for family in (IPV4, IPV6)),
    ]


async def test_the_ipv6_table_is_found_as_it_was_written(nft):
    await nft.apply(render_table(WANTED6, family=IPV6))

    async def look():
        actual = await nft.read_table(IPV6.table)
        return mend_table(actual, WANTED6, patience=True, family=IPV6)

    assert (await look()).scripts == ()
    sh(f"nft 'delete element {IPV6.table} published_at {{ ::1 . udp . 53 }}'")
    sh(f"nft 'add element {IPV6.table} uplinks {{ fd09::/64 }}'")
    repair = await look()
    assert repair.found == (
        "::1 . udp . 53 is missing in published_at",
        "fd09::/64 is too many in uplinks",
    )
    for script in repair.scripts:
        await nft.apply(script)
    assert (await look()).scripts == ()
