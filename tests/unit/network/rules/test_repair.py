"""A table as nft lists it, against the one that is wanted."""

from __future__ import annotations

import pytest

from hivelet.network.family import IPV4
from hivelet.network.rules.base_chains import base_chains
from hivelet.network.rules.fixed_chains import fixed_chains
from hivelet.network.rules.listing import TableState, as_listed, parse_listing
from hivelet.network.rules.patience import PATIENT
from hivelet.network.rules.repair import mend_table, stand_in
from hivelet.network.rules.ruleset import Chain, Fragment, tag, tagged
from hivelet.network.rules.sets import RETRIED, containers

TABLE = "ip hivelet"
WANTED = Fragment(
    chains={"vip_web": Chain(rules=("accept", "drop"))},
    elements={
        ("bridges", '"hv-web"'): "",
        ("vips", '"hv-web" . 10.0.1.2'): "goto vip_web",
        ("uplinks", "10.0.0.0/24"): "",
    },
)


def state(**changes) -> TableState:
    """The wanted table as it is there, but for some changes."""
    bases = base_chains(patience=True)
    whole = {
        "containers": {c.name: f"{c.kind} {as_listed(c.definition)}" for c in containers(IPV4)},
        "hooks": {base.name: base.hook for base in bases},
        "policies": {base.name: "accept" for base in bases},
        "chains": {
            "vip_web": (tag("accept"), tag("drop")),
            **{name: tuple(map(tag, rules)) for name, rules in fixed_chains().items()},
            **{base.name: tuple(map(tag, base.rules)) for base in bases},
        },
        "elements": {
            ("bridges", "hv-web"): "",
            ("vips", "hv-web . 10.0.1.2"): "goto vip_web",
            ("uplinks", "10.0.0.0/24"): "",
        },
        "objects": frozenset([PATIENT]),
    }
    for name, change in changes.items():
        whole[name] = change(whole[name])
    return TableState(**whole)


def mend(actual: TableState | None):
    repair = mend_table(actual, WANTED, patience=True)
    return [script.splitlines() for script in repair.scripts], list(repair.found)


def without(name):
    return lambda whole: {key: value for key, value in whole.items() if key != name}


def test_what_is_as_it_should_be_is_left_alone():
    assert mend(state()) == ([], [])


def test_what_rules_have_put_into_a_set_is_left_there():
    def met(elements):
        return elements | {(RETRIED, "198.51.100.2 . 40000"): ""}

    assert mend(state(elements=met)) == ([], [])


def test_no_table_is_one_transaction():
    ((first, *_),), found = mend(None)
    assert first == f"table {TABLE}"
    assert found == ["the table ip hivelet is missing"]


@pytest.mark.parametrize(
    ("changes", "commands", "found"),
    [
        pytest.param(
            {"elements": without(("vips", "hv-web . 10.0.1.2"))},
            ['add element ip hivelet vips { "hv-web" . 10.0.1.2 : goto vip_web }'],
            "hv-web . 10.0.1.2 is missing in vips",
            id="element-removed",
        ),
        pytest.param(
            {"elements": lambda whole: whole | {("open", "hv-a . hv-b"): ""}},
            ['delete element ip hivelet open { "hv-a" . "hv-b" }'],
            "hv-a . hv-b is too many in open",
            id="element-added",
        ),
        pytest.param(
            {"elements": lambda whole: whole | {("vips", "hv-web . 10.0.1.2"): "drop"}},
            [
                'delete element ip hivelet vips { "hv-web" . 10.0.1.2 }',
                'add element ip hivelet vips { "hv-web" . 10.0.1.2 : goto vip_web }',
            ],
            "hv-web . 10.0.1.2 leads to drop in vips",
            id="element-changed",
        ),
        pytest.param(
            {"chains": lambda whole: whole | {"vip_web": (tag("accept"),)}},
            [
                "flush chain ip hivelet vip_web",
                f"add rule ip hivelet vip_web {tagged('accept')}",
                f"add rule ip hivelet vip_web {tagged('drop')}",
            ],
            "the rules of vip_web differ",
            id="rule-removed",
        ),
        pytest.param(
            {"chains": lambda whole: whole | {"theirs": ("",)}},
            ["flush chain ip hivelet theirs", "delete chain ip hivelet theirs"],
            "the chain theirs is not ours",
            id="chain-added",
        ),
        pytest.param(
            {"containers": lambda whole: whole | {"theirs": "map type ifname : verdict"}},
            ["delete map ip hivelet theirs"],
            "the set or map theirs is not ours",
            id="map-added",
        ),
        pytest.param(
            {"policies": lambda whole: whole | {"filter-forward": "drop"}},
            [
                "add chain ip hivelet filter-forward "
                "{ type filter hook forward priority 0; policy accept; }"
            ],
            "the policy of filter-forward is drop",
            id="policy",
        ),
        pytest.param(
            {"objects": lambda _: frozenset()},
            [
                "add ct timeout ip hivelet patient "
                "{ protocol tcp; l3proto ip; policy = { established : 2000000 }; }"
            ],
            "the object patient is missing",
            id="object-removed",
        ),
    ],
)
def test_only_what_differs_is_written_and_named(changes, commands, found):
    scripts, words = mend(state(**changes))
    assert scripts == [commands]
    assert words == [found]


def test_a_former_layout_leads_until_its_rules_are_gone():
    """The host's VIPs were in the bridges' map once: no packet meets the rules of one layout and the elements of the other."""
    former = tag('iifname . ip daddr vmap @vips comment "once"')
    fragment = Fragment(
        chains=WANTED.chains,
        elements={**WANTED.elements, ("vips_of_host", "10.0.1.2"): "goto vip_web"},
    )
    actual = state(
        containers=without("vips_of_host"),
        chains=lambda whole: whole | {"nat-output": (former,)},
        elements=lambda whole: (
            whole | {("vips", "lo . 10.0.1.2"): "goto vip_web", ("uplinks", "10.0.0.0/16"): ""}
        ),
    )
    scripts = [s.splitlines() for s in mend_table(actual, fragment, patience=True).scripts]
    prepare, change, remove = scripts
    assert prepare[-1] == "add element ip hivelet vips_of_host { 10.0.1.2 : goto vip_web }"
    assert change[0] == "flush chain ip hivelet nat-output"
    # Intervals could overlap with those that come.
    assert change[-1] == "delete element ip hivelet uplinks { 10.0.0.0/16 }"
    assert remove == ['delete element ip hivelet vips { "lo" . 10.0.1.2 }']


def test_a_missing_chain_has_its_rules_before_anything_leads_to_it():
    scripts, _ = mend(
        state(chains=without("vip_web"), elements=without(("vips", "hv-web . 10.0.1.2")))
    )
    first, then = scripts
    assert first[0] == "add chain ip hivelet vip_web"
    assert then == ['add element ip hivelet vips { "hv-web" . 10.0.1.2 : goto vip_web }']


def test_a_base_chain_comes_back_with_its_rules():
    name = base_chains(patience=False)[0].name
    scripts, _ = mend(state(chains=without(name), hooks=without(name), policies=without(name)))
    assert scripts[0][0].startswith(f"add chain {TABLE} {name} {{ type filter hook prerouting")
    assert len(scripts[0]) == 1 + len(base_chains(patience=False)[0].rules)


@pytest.mark.parametrize(
    "changes",
    [
        {"containers": lambda whole: whole | {"vips": "map type ipv4_addr : verdict"}},
        {"hooks": lambda whole: whole | {"nat-output": "type nat hook output priority -90"}},
        {"hooks": without("nat-output")},
    ],
    ids=["a-map-of-another-type", "another-priority", "a-base-chain-that-is-none"],
)
def test_a_table_of_another_make_is_replaced_while_another_stands_in(changes):
    (before, replace, after), found = mend(state(**changes))
    assert before[:3] == [
        f"table {stand_in(IPV4)}",
        f"delete table {stand_in(IPV4)}",
        f"table {stand_in(IPV4)} {{",
    ]
    assert replace[:3] == [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    assert before[3:] == replace[3:]
    assert after == [f"delete table {stand_in(IPV4)}"]
    assert len(found) == 1


def test_a_listing_is_read():
    found = parse_listing(
        [
            {"metainfo": {"version": "1.0.6"}},
            {"set": {"name": "bridges", "type": "ifname", "elem": ["hv-a"]}},
            {
                "set": {
                    "name": "uplinks",
                    "type": "ipv4_addr",
                    "flags": ["interval"],
                    "elem": [{"prefix": {"addr": "10.0.0.0", "len": 24}}, "10.1.0.1"],
                }
            },
            {
                "map": {
                    "name": "published",
                    "type": ["inet_proto", "inet_service"],
                    "map": "verdict",
                    "elem": [
                        [{"concat": [6, 80]}, {"goto": {"target": "c"}}],
                        [{"concat": ["udp", 6]}, {"drop": None}],
                    ],
                }
            },
            {"map": {"name": "m", "type": "ipv4_addr", "map": "ipv4_addr", "elem": [["a", "b"]]}},
            {
                "chain": {
                    "name": "in",
                    "type": "filter",
                    "hook": "input",
                    "prio": 0,
                    "policy": "drop",
                }
            },
            {"chain": {"name": "c"}},
            {"rule": {"chain": "c", "comment": "hv:1", "expr": []}},
            {"rule": {"chain": "c", "expr": []}},
            {"ct timeout": {"name": "patient"}},
        ]
    )
    assert found == TableState(
        containers={
            "bridges": "set type ifname",
            "uplinks": "set type ipv4_addr; flags interval",
            "published": "map type inet_proto . inet_service : verdict",
            "m": "map type ipv4_addr : ipv4_addr",
        },
        hooks={"in": "type filter hook input priority 0"},
        policies={"in": "drop"},
        chains={"in": (), "c": ("hv:1", "")},
        elements={
            ("bridges", "hv-a"): "",
            ("uplinks", "10.0.0.0/24"): "",
            ("uplinks", "10.1.0.1"): "",
            ("published", "tcp . 80"): "goto c",
            ("published", "udp . 6"): "drop",
            ("m", "a"): "b",
        },
        objects=frozenset(["patient"]),
    )
