"""From the table that is there to the one that is wanted, with as little change as possible. Pure.

A restarted hiveletd adopts the table it finds: it writes what differs, mostly nothing. Never is a table that serves
packets deleted and made anew in one transaction: a packet on its way through it at that moment meets rules of the one
and elements of the other, and was refused (14 of 69,000 connections beside 300 such transactions a second; with what
is done here, none of 62,000). Only a table of another make (a base chain at another place, a set of another type) is
replaced, and a second table with the same rules stands in for it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hivelet.network.family import IPV4, Family
from hivelet.network.rules.base_chains import base_chains
from hivelet.network.rules.fixed_chains import fixed_chains
from hivelet.network.rules.listing import TableState, as_listed, plain
from hivelet.network.rules.patience import PATIENT, patience_object
from hivelet.network.rules.ruleset import (
    EMPTY,
    Chain,
    Change,
    Fragment,
    Key,
    add_rules,
    as_scripts,
    element_commands,
    tag,
)
from hivelet.network.rules.sets import KEPT_BY_RULES, containers
from hivelet.network.rules.table import render_table


def stand_in(family: Family) -> str:
    """The table that has the rules while ours is replaced; a crash may leave it, the next start removes it."""
    return f"{family.table}-stand-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRepair:
    """The transactions, in order, and in words what had to be mended."""

    scripts: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def mend_table(
    actual: TableState | None, fragment: Fragment, *, patience: bool, family: Family = IPV4
) -> TableRepair:
    """How a family's table comes to be as `fragment` says; `actual` None is no table at all."""
    table = family.table
    if actual is None:
        script = render_table(fragment, patience=patience, family=family)
        return TableRepair(scripts=(script,), found=(f"the table {table} is missing",))
    wanted = _blueprint(fragment, family, patience=patience)
    made_otherwise = _made_otherwise(actual, wanted.state)
    if made_otherwise:
        scripts = (
            render_table(fragment, patience=patience, family=family, table=stand_in(family)),
            render_table(fragment, patience=patience, family=family),
            f"delete table {stand_in(family)}\n",
        )
        return TableRepair(scripts=scripts, found=made_otherwise)
    late = _late(actual, wanted.state)
    return TableRepair(
        scripts=tuple(
            as_scripts(
                _additions(actual, wanted, family),
                _changes(actual, wanted, table, late),
                _removals(actual, wanted, table, late),
            )
        ),
        found=_describe(actual, wanted.state),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blueprint:
    """The wanted table twice: comparable, and in nft's words."""

    state: TableState
    chains: Mapping[str, Chain]
    keys: Mapping[Key, Key]
    """An element as it is listed, to the element as it is written."""


def _blueprint(fragment: Fragment, family: Family, *, patience: bool) -> _Blueprint:
    bases = base_chains(family, patience=patience)
    chains = {
        **fragment.chains,
        **{name: Chain(rules=rules) for name, rules in fixed_chains(family).items()},
        **{base.name: Chain(rules=base.rules) for base in bases},
    }
    keys = {(name, plain(key)): (name, key) for name, key in fragment.elements}
    return _Blueprint(
        state=TableState(
            containers={c.name: f"{c.kind} {as_listed(c.definition)}" for c in containers(family)},
            hooks={base.name: base.hook for base in bases},
            policies={base.name: "accept" for base in bases},
            chains={name: tuple(map(tag, chain.rules)) for name, chain in chains.items()},
            elements={listed: fragment.elements[written] for listed, written in keys.items()},
            objects=frozenset([PATIENT] if patience and family.tracks else []),
        ),
        chains=chains,
        keys=keys,
    )


def _made_otherwise(actual: TableState, wanted: TableState) -> tuple[str, ...]:
    """What cannot be altered where it stands."""
    kinds = [
        f"{name} is a {actual.containers[name]}, not a {definition}"
        for name, definition in wanted.containers.items()
        if actual.containers.get(name, definition) != definition
    ]
    places = [
        f"the chain {name} is {actual.hooks.get(name, 'no base chain')}, not {wanted.hooks.get(name, 'a plain one')}"
        for name in wanted.chains.keys() & actual.chains.keys()
        if actual.hooks.get(name) != wanted.hooks.get(name)
    ]
    return tuple(sorted(kinds + places))


def _additions(actual: TableState, wanted: _Blueprint, family: Family) -> list[str]:
    """What nothing leads to yet: it is there, with its rules, before the change that leads to it."""
    table = family.table
    lines: list[str] = []
    if wanted.state.objects - actual.objects:
        body = " ".join(line.strip() for line in patience_object(family)[1:-1])
        lines.append(f"add ct timeout {table} {PATIENT} {{ {body} }}")
    lines += [
        f"add {c.kind} {table} {c.name} {{ {c.definition}; }}"
        for c in containers(family)
        if c.name not in actual.containers
    ]
    fresh = {
        name: chain
        for name, chain in wanted.chains.items()
        if name not in actual.chains and name not in wanted.state.hooks
    }
    # With what is in them: a rule that comes to ask them finds them full.
    filled = {
        wanted.keys[key]: value
        for key, value in wanted.state.elements.items()
        if key[0] not in actual.containers
    }
    return lines + Change(old=EMPTY, new=Fragment(chains=fresh, elements=filled)).commands(table)


def _late(actual: TableState, wanted: TableState) -> frozenset[Key]:
    """Elements that nobody wants any more and that rules may still be asked for, which change in the same repair.

    A packet that has begun before a transaction goes on by the rules as they were, and meets elements as they are. So what a
    former layout led by stays until its rules are gone. Intervals may stand in the way of those that come, and do not wait.
    """
    if all(wanted.chains.get(name, tags) == tags for name, tags in actual.chains.items()):
        return frozenset()
    return frozenset(
        key
        for key in actual.elements
        if _is_ours(key, wanted)
        and key not in wanted.elements
        and "interval" not in wanted.containers[key[0]]
    )


def _changes(actual: TableState, wanted: _Blueprint, table: str, late: frozenset[Key]) -> list[str]:
    """What takes effect at once: the rules, and the elements by which they lead."""
    want = wanted.state
    lines: list[str] = []
    for name, hook in want.hooks.items():
        if name not in actual.chains:
            lines.append(f"add chain {table} {name} {{ {hook}; policy accept; }}")
            lines += add_rules(table, name, wanted.chains[name].rules)
        elif actual.policies.get(name) != want.policies[name]:
            lines.append(f"add chain {table} {name} {{ {hook}; policy accept; }}")
    for name, tags in want.chains.items():
        if actual.chains.get(name, tags) != tags:
            lines.append(f"flush chain {table} {name}")
            lines += add_rules(table, name, wanted.chains[name].rules)
    gone = [
        key
        for key, value in actual.elements.items()
        if _is_ours(key, want) and want.elements.get(key) != value and key not in late
    ]
    come = {
        wanted.keys[key]: value
        for key, value in want.elements.items()
        if key[0] in actual.containers and actual.elements.get(key) != value
    }
    lines += _deletions(gone, wanted, table)
    return lines + element_commands("add", table, come)


def _deletions(gone: Iterable[Key], wanted: _Blueprint, table: str) -> list[str]:
    containers = wanted.state.containers
    written = [wanted.keys.get(key, _quoted(key, containers[key[0]])) for key in gone]
    return element_commands("delete", table, dict.fromkeys(written, ""))


def _removals(
    actual: TableState, wanted: _Blueprint, table: str, late: frozenset[Key]
) -> list[str]:
    """What no rule asks any more."""
    want = wanted.state
    lines = _deletions(sorted(late), wanted, table)
    doomed = [name for name in actual.chains if name not in want.chains]
    lines += [f"flush chain {table} {name}" for name in doomed]
    lines += [
        f"delete {actual.containers[name].partition(' ')[0]} {table} {name}"
        for name in actual.containers
        if name not in want.containers
    ]
    lines += [f"delete chain {table} {name}" for name in doomed]
    lines += [f"delete ct timeout {table} {name}" for name in actual.objects - want.objects]
    return lines


def _is_ours(key: Key, wanted: TableState) -> bool:
    """Whether an element is in a set or map that we have and that its rules do not fill themselves."""
    return key[0] in wanted.containers and key[0] not in KEPT_BY_RULES


def _quoted(key: Key, definition: str) -> Key:
    """A listed key as it is written: link names stand in quotes."""
    name, text = key
    kinds = definition.partition("type ")[2].partition(":")[0].partition(";")[0].split(" . ")
    parts = text.split(" . ")
    return name, " . ".join(
        f'"{part}"' if kind.strip() == "ifname" else part
        for part, kind in zip(parts, kinds, strict=True)
    )


def _describe(actual: TableState, wanted: TableState) -> tuple[str, ...]:
    """The differences in words: what another program has done, or what has changed while we were away."""
    found = [
        *_names("chain", wanted.chains, actual.chains),
        *_names("set or map", wanted.containers, actual.containers),
        *_names("object", dict.fromkeys(wanted.objects, ""), dict.fromkeys(actual.objects, "")),
        *(
            f"the rules of {name} differ"
            for name, tags in wanted.chains.items()
            if actual.chains.get(name, tags) != tags
        ),
        *(
            f"the policy of {name} is {actual.policies[name]}"
            for name, policy in wanted.policies.items()
            if actual.policies.get(name, policy) != policy
        ),
    ]
    known = {key: value for key, value in actual.elements.items() if _is_ours(key, wanted)}
    for key, value in wanted.elements.items():
        if known.get(key) != value:
            word = "is missing" if key not in known else f"leads to {known[key]}"
            found.append(f"{key[1]} {word} in {key[0]}")
    found += [f"{key[1]} is too many in {key[0]}" for key in known if key not in wanted.elements]
    return tuple(found)


def _names(what: str, wanted: Mapping[str, object], actual: Mapping[str, object]) -> Iterable[str]:
    yield from (f"the {what} {name} is missing" for name in wanted if name not in actual)
    yield from (f"the {what} {name} is not ours" for name in actual if name not in wanted)
