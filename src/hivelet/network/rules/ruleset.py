"""A ruleset as data, its text, and the smallest transaction that leads from one to another. Pure.

A `Fragment` is what one owner (the networks, a service, a sandbox) contributes: regular chains, and elements of the
sets and maps that `base` declares. Only fragments that changed are compared, so a change costs what it changes.
What always holds: a transaction deletes elements first and chains last, so that no element ever points to nothing;
each rule carries a digest of its text as its comment, by which `repair` knows it again in the kernel.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Key = tuple[str, str]
"""The name of a set or map, and an element's key in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A regular chain: its rules in nft's words, and whom it is for."""

    rules: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One owner's part of the ruleset. An element's value is "" in a set, and what the key maps to in a map."""

    chains: Mapping[str, Chain] = field(default_factory=dict)
    elements: Mapping[Key, str] = field(default_factory=dict)


EMPTY = Fragment()

_ELEMENT = re.compile(r'[A-Za-z0-9 ._:/@"-]+')
_CHAIN = re.compile(r"[A-Za-z0-9_.-]+")


def find_unwritable(fragment: Fragment) -> str:
    """A part of a fragment that would be read as something else in nft's language; "" where there is none."""
    for name, chain in fragment.chains.items():
        if not _CHAIN.fullmatch(name):
            return name
        if broken := next((t for t in (*chain.rules, chain.comment) if "\n" in t), ""):
            return broken
    for (_, key), value in fragment.elements.items():
        if not _ELEMENT.fullmatch(key) or (value and not _ELEMENT.fullmatch(value)):
            return _element(key, value)
    return ""


class RuleBook:
    """What each owner contributes, and what follows from it.

    Where two owners claim one element, the one who claimed first has it, and the next one gets it when the first lets
    go: one service's mistake must never make the whole transaction fail.
    """

    def __init__(self) -> None:
        self._fragments: dict[str, Fragment] = {}
        self._claims: dict[Key, dict[str, str]] = {}

    def update(self, changes: Mapping[str, Fragment]) -> Change:
        """Take over the owners' new fragments (an empty one forgets the owner); returns the difference."""
        touched: dict[Key, str | None] = {}
        old_chains: dict[str, Chain] = {}
        new_chains: dict[str, Chain] = {}
        for owner, fragment in changes.items():
            before = self._fragments.pop(owner, EMPTY)
            if fragment != EMPTY:
                self._fragments[owner] = fragment
            old_chains.update(before.chains)
            new_chains.update(fragment.chains)
            for key in (*before.elements, *fragment.elements):
                touched.setdefault(key, self._effective(key))
            self._claim(owner, before, fragment)
        return Change(
            old=Fragment(chains=old_chains, elements=_present(touched)),
            new=Fragment(
                chains=new_chains,
                elements=_present({key: self._effective(key) for key in touched}),
            ),
            contested={
                key: tuple(claims) for key in touched if len(claims := self._claimed(key)) > 1
            },
        )

    def merged(self) -> Fragment:
        """All that is in effect, as one fragment."""
        chains = {k: c for fragment in self._fragments.values() for k, c in fragment.chains.items()}
        elements = _present({key: self._effective(key) for key in self._claims})
        return Fragment(chains=chains, elements=elements)

    def _claimed(self, key: Key) -> dict[str, str]:
        claims = self._claims.get(key, {})
        return claims if len(set(claims.values())) > 1 else {}

    def _effective(self, key: Key) -> str | None:
        claims = self._claims.get(key)
        return next(iter(claims.values())) if claims else None

    def _claim(self, owner: str, before: Fragment, after: Fragment) -> None:
        for key in before.elements:
            if key not in after.elements:
                claims = self._claims[key]
                del claims[owner]
                if not claims:
                    del self._claims[key]
        for key, value in after.elements.items():
            self._claims.setdefault(key, {})[owner] = value


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change of the book means in the kernel."""

    old: Fragment
    new: Fragment
    contested: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    """Elements of the change that several owners claim for different purposes, with the claimants in order."""

    def scripts(self, table: str) -> list[str]:
        """The transactions that carry it out, mostly one; none where nothing changed.

        An element that is led to a new chain needs two: a packet that began before the transaction finds the new
        element (elements are read as they are now) and behind it a chain that is still empty for it (rules are read as
        they were).
        """
        old, new = self.old, self.new
        fresh = {name: chain for name, chain in new.chains.items() if name not in old.chains}
        if not any(
            key in old.elements and old.elements[key] != value and _target(value) in fresh
            for key, value in new.elements.items()
        ):
            return as_scripts(self.commands(table))
        first = Change(old=EMPTY, new=Fragment(chains=fresh))
        then = Change(old=Fragment(chains={**old.chains, **fresh}, elements=old.elements), new=new)
        return as_scripts(first.commands(table), then.commands(table))

    def commands(self, table: str) -> list[str]:
        """The nft commands that carry it out; none where nothing changed."""
        old, new = self.old, self.new
        gone = [key for key, value in old.elements.items() if new.elements.get(key) != value]
        come = {key: value for key, value in new.elements.items() if old.elements.get(key) != value}
        lines = element_commands("delete", table, dict.fromkeys(gone, ""))
        for name, chain in new.chains.items():
            before = old.chains.get(name)
            if before == chain:
                continue
            lines.append(f"add chain {table} {name}{_comment(chain)}")
            if before is not None:
                lines.append(f"flush chain {table} {name}")
            lines += add_rules(table, name, chain.rules)
        lines += element_commands("add", table, come)
        doomed = [name for name in old.chains if name not in new.chains]
        lines += [f"flush chain {table} {name}" for name in doomed]
        lines += [f"delete chain {table} {name}" for name in doomed]
        return lines


def render_chains(fragment: Fragment) -> list[str]:
    """The fragment's chains as they stand inside a table block, sorted by name."""
    lines: list[str] = []
    for name, chain in sorted(fragment.chains.items()):
        lines.append(f"  chain {name} {{")
        lines += [f"    {_comment_text(chain)};"] if chain.comment else []
        lines += [f"    {tagged(rule)}" for rule in chain.rules]
        lines.append("  }")
    return lines


def as_scripts(*transactions: list[str]) -> list[str]:
    """Commands as the text of transactions; empty ones are left out."""
    return ["\n".join(commands) + "\n" for commands in transactions if commands]


def merge_scripts(families: Iterable[Sequence[str]]) -> list[str]:
    """The transactions of several tables as common ones: what comes last for one comes last for all."""
    plans = [list(scripts) for scripts in families]
    most = max(map(len, plans), default=0)
    aligned = [[""] * (most - len(plan)) + plan for plan in plans]
    return ["".join(scripts) for scripts in zip(*aligned, strict=True)]


def add_rules(table: str, chain: str, rules: Iterable[str]) -> list[str]:
    """The commands that append rules to a chain."""
    return [f"add rule {table} {chain} {tagged(rule)}" for rule in rules]


def tag(rule: str) -> str:
    """A digest of a rule's text. Its comment, which the kernel keeps with the rule and gives back as it was given."""
    return f"hv:{hashlib.sha256(rule.encode()).hexdigest()[:12]}"


def tagged(rule: str) -> str:
    """A rule with its tag, as it is sent to the kernel."""
    return f'{rule} comment "{tag(rule)}"'


def elements_of(fragment: Fragment, name: str) -> list[str]:
    """The elements of one set or map as text, sorted."""
    return sorted(
        _element(key, value) for (owner, key), value in fragment.elements.items() if owner == name
    )


def _present(elements: Mapping[Key, str | None]) -> dict[Key, str]:
    return {key: value for key, value in elements.items() if value is not None}


def element_commands(verb: str, table: str, elements: Mapping[Key, str]) -> list[str]:
    """The commands that add or delete these elements, one for each set or map."""
    grouped: dict[str, list[str]] = {}
    for (name, key), value in elements.items():
        grouped.setdefault(name, []).append(_element(key, value))
    return [
        f"{verb} element {table} {name} {{ {', '.join(sorted(items))} }}"
        for name, items in sorted(grouped.items())
    ]


def _element(key: str, value: str) -> str:
    return f"{key} : {value}" if value else key


def _target(value: str) -> str:
    return value.partition("goto ")[2]


def _comment(chain: Chain) -> str:
    return f" {{ {_comment_text(chain)}; }}" if chain.comment else ""


def _comment_text(chain: Chain) -> str:
    return 'comment "' + chain.comment.replace('"', "'")[:120] + '"'
