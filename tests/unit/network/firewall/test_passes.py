from __future__ import annotations

import pytest

from hivelet.network.firewall.passes import Wish, name_links, plan_steps
from hivelet.network.firewall.tables import (
    FirewalldTable,
    NftChain,
    NftRule,
    parse_iptables,
)

WISH = Wish(links=("docker_gwbridge", "hv-*"), others=("docker0",))
CLOSED = Wish(links=WISH.links, open=False)
HEAD = "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"
DOCKER = HEAD + "-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\n"
UFW = """-P INPUT DROP
-P FORWARD DROP
-N ufw-before-forward
-N ufw-before-input
-N ufw-user-forward
-N ufw-user-input
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A ufw-before-forward -j ufw-user-forward
-A ufw-before-input -j ufw-user-input
"""
FORWARD_RULES = [
    "-i docker_gwbridge -o docker0 -j RETURN",
    "-i hv-+ -o docker0 -j RETURN",
    "-i docker_gwbridge -j ACCEPT",
    "-o docker_gwbridge -j ACCEPT",
    "-i hv-+ -j ACCEPT",
    "-o hv-+ -j ACCEPT",
]


class Filter:
    """What iptables would make of a script, as far as ours go."""

    def __init__(self, text):
        self.text = text

    def table(self):
        return parse_iptables("iptables-nft", "ip", self.text)

    def apply(self, script):
        policies = dict(self.table().policies)
        chains = {name: list(rules) for name, rules in self.table().chains.items()}
        for line in script.splitlines():
            verb, _, rest = line.partition(" ")
            name, _, rule = rest.partition(" ")
            if verb.startswith(":"):
                chains[verb[1:]] = []
            elif verb == "-A":
                chains[name].append(rule)
            elif verb == "-D":
                chains[name].remove(rule)
            elif verb == "-F":
                chains[name] = []
            elif verb == "-X":
                assert not chains.pop(name)
            elif verb == "-I":
                number, _, rest = rule.partition(" ")
                place, rule = (int(number), rest) if number.isdigit() else (1, rule)
                assert 1 <= place <= len(chains[name]) + 1
                chains[name].insert(place - 1, rule)
        self.text = "\n".join(
            [
                *(f"-P {name} {policy}" for name, policy in policies.items()),
                *(f"-N {name}" for name in chains if name not in policies),
                *(f"-A {name} {rule}" for name, rules in chains.items() for rule in rules),
            ]
        )


@pytest.mark.parametrize(
    ("text", "parent", "place"),
    [
        pytest.param(DOCKER, "DOCKER-USER", 0, id="docker-before-its-return"),
        pytest.param(
            DOCKER.replace("-A DOCKER-USER", "-A DOCKER-USER -s 192.0.2.9 -j DROP\n-A DOCKER-USER"),
            "DOCKER-USER",
            1,
            id="docker-behind-the-users-rules",
        ),
        pytest.param(
            DOCKER.replace("-A DOCKER-USER -j RETURN\n", ""), "DOCKER-USER", 0, id="docker-28"
        ),
        pytest.param(UFW, "ufw-user-forward", 0, id="ufw"),
        pytest.param(
            UFW + "-A ufw-user-forward -s 192.0.2.9 -j DROP\n", "ufw-user-forward", 1, id="ufw-rule"
        ),
        pytest.param(HEAD + "-A FORWARD -i a -o b -j DROP\n", "FORWARD", 0, id="by-hand"),
        pytest.param(
            "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-A FORWARD -j REJECT\n", "FORWARD", 0, id="reject"
        ),
        pytest.param(HEAD + "-N DOCKER-USER\n", "FORWARD", 0, id="docker-has-gone"),
    ],
)
def test_where_the_way_is_opened(text, parent, place):
    before = parse_iptables("iptables-nft", "ip", text)
    kernel = Filter(text)
    (step,) = plan_steps([kernel.table()], WISH)
    assert step.argv == ("iptables-nft-restore", "--noflush")
    assert step.adds
    kernel.apply(step.script)
    table = kernel.table()
    assert list(table.chains["HIVELET-FORWARD"]) == FORWARD_RULES
    assert table.chains[parent][place].endswith("-j HIVELET-FORWARD")
    assert '"hivelet-' in table.chains[parent][place]
    assert plan_steps([table], WISH) == (), "once is enough"
    (step,) = plan_steps([table], CLOSED)
    assert not step.adds
    kernel.apply(step.script)
    assert kernel.table() == before, "no trace stays"


def test_names_and_pings_pass_a_closed_input():
    kernel = Filter(UFW)
    (step,) = plan_steps([kernel.table()], Wish(links=("hv-*",)))
    kernel.apply(step.script)
    table = kernel.table()
    assert table.chains["HIVELET-INPUT"] == (
        "-d 169.254.52.0/22 -i hv-+ -p udp --dport 53 -j ACCEPT",
        "-d 169.254.52.0/22 -i hv-+ -p tcp --dport 53 -j ACCEPT",
        "-i hv-+ -p icmp --icmp-type 8 -j ACCEPT",
    )
    assert table.jumps("ufw-user-input", "HIVELET-INPUT")


@pytest.mark.parametrize(
    ("damage", "by"),
    [
        pytest.param("flushed", lambda t: t.replace("-A HIVELET-FORWARD -i hv-+", "#"), id="rules"),
        pytest.param(
            "unlinked",
            lambda t: "\n".join(x for x in t.splitlines() if "-j HIVELET-FORWARD" not in x),
            id="jump",
        ),
        pytest.param(
            "hidden",
            lambda t: t.replace("-A DOCKER-USER", "-A DOCKER-USER -j RETURN\n-A DOCKER-USER", 1),
            id="behind-a-return",
        ),
        pytest.param(
            "doubled",
            lambda t: "\n".join([t, next(x for x in t.splitlines() if "-j HIVELET-F" in x)]),
            id="twice",
        ),
    ],
)
def test_damage_is_repaired(damage, by):
    kernel = Filter(DOCKER)
    kernel.apply(plan_steps([kernel.table()], WISH)[0].script)
    whole = kernel.table()
    kernel.text = by(kernel.text)
    (step,) = plan_steps([kernel.table()], WISH)
    kernel.apply(step.script)
    assert plan_steps([kernel.table()], WISH) == (), damage
    assert kernel.table().chains["HIVELET-FORWARD"] == whole.chains["HIVELET-FORWARD"]


def test_a_new_network_of_anothers_changes_the_chain():
    kernel = Filter(DOCKER)
    kernel.apply(plan_steps([kernel.table()], WISH)[0].script)
    (step,) = plan_steps([kernel.table()], Wish(links=WISH.links, others=("br-1", "docker0")))
    kernel.apply(step.script)
    assert "-i hv-+ -o br-1 -j RETURN" in kernel.table().chains["HIVELET-FORWARD"]


def test_docker_that_comes_later_moves_the_jump():
    kernel = Filter(HEAD)
    kernel.apply(plan_steps([kernel.table()], WISH)[0].script)
    kernel.text += "\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\n"
    kernel.apply(plan_steps([kernel.table()], WISH)[0].script)
    assert kernel.table().chains["FORWARD"] == ("-j DOCKER-USER",)
    assert kernel.table().jumps("DOCKER-USER", "HIVELET-FORWARD")


@pytest.mark.parametrize(
    "wish", [pytest.param(Wish(), id="no-bridge"), pytest.param(CLOSED, id="forbidden")]
)
def test_nothing_where_nothing_is_wished(wish):
    assert plan_steps([parse_iptables("iptables-nft", "ip", DOCKER)], wish) == ()


def test_nothing_where_everything_passes():
    text = "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n"
    assert plan_steps([parse_iptables("iptables-legacy", "ip", text)], WISH) == ()


def test_ipv6_has_ufws_other_names():
    table = parse_iptables("ip6tables-nft", "ip6", UFW.replace("ufw-", "ufw6-"))
    (step,) = plan_steps([table], Wish(links=("hv-*",)))
    assert "-I ufw6-user-forward 1 " in step.script
    assert "-A HIVELET-INPUT -i hv-+ -p ipv6-icmp -j ACCEPT" in step.script


NATIVE = NftChain(family="inet", table="filter", name="fwd", hook="forward", policy="drop")


def test_native_chain():
    (step,) = plan_steps([NATIVE], WISH)
    assert step.argv == ("nft", "-f", "-")
    lines = step.script.splitlines()
    assert lines[0] == "add chain inet filter hivelet-forward"
    assert 'add rule inet filter hivelet-forward iifname "hv-*" oifname "docker0" return' in lines
    jump, _, tag = lines[-1].rpartition(" comment ")
    assert jump == "insert rule inet filter fwd jump hivelet-forward"
    there = NftChain(
        family="inet",
        table="filter",
        name="fwd",
        hook="forward",
        policy="drop",
        rules=(NftRule(handle=4, comment=tag.strip('"'), jumps_to="hivelet-forward"),),
        passes=6,
    )
    assert plan_steps([there], WISH) == ()
    (step,) = plan_steps([there], CLOSED)
    assert step.script.splitlines() == [
        "delete rule inet filter fwd handle 4",
        "flush chain inet filter hivelet-forward",
        "delete chain inet filter hivelet-forward",
    ]


@pytest.mark.parametrize(
    ("bound", "wish", "commands"),
    [
        pytest.param({}, WISH, ["add docker_gwbridge", "add hv-+"], id="new"),
        pytest.param(
            {"docker_gwbridge": "filter_FWD_docker"}, WISH, ["add hv-+"], id="dockers-own"
        ),
        pytest.param(
            {"hv-*": "filter_FWD_mine", "docker_gwbridge": "filter_FWD_mine"}, WISH, [], id="users"
        ),
        pytest.param(
            {"hv-*": "filter_FWD_trusted", "eth1": "filter_FWD_trusted"},
            Wish(),
            ["remove hv-+"],
            id="no-bridge-left",
        ),
        pytest.param(
            {"docker_gwbridge": "filter_FWD_trusted"},
            Wish(former=("docker_gwbridge",)),
            ["remove docker_gwbridge"],
            id="former",
        ),
        pytest.param({"docker_gwbridge": "filter_FWD_trusted"}, Wish(), [], id="not-ours"),
    ],
)
def test_firewalld(bound, wish, commands):
    steps = plan_steps([FirewalldTable(bound=bound)], wish)
    assert [
        step.argv[2].removeprefix("--").replace("-interface=", " ") for step in steps
    ] == commands
    assert all(bool(step.unless) is (not step.adds) for step in steps)


def test_links_are_named_by_their_prefix():
    assert name_links(["hv-abc", "docker_gwbridge", "hv-def"]) == ("docker_gwbridge", "hv-*")
