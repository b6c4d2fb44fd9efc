"""nftables' language, as far as our rules use it, to data. Pure.

Reads what `hivelet.network.rules.table.render_table` writes and what `nft list table` prints. What always holds: every word is
understood or `NotUnderstood` names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_WORD = re.compile(r'"[^"]*"|[{},;]|[^\s{},;]+')
_PRIORITIES = {
    "raw": -300,
    "mangle": -150,
    "dstnat": -100,
    "filter": 0,
    "security": 50,
    "srcnat": 100,
}
SELECTORS = {
    ("ip", "saddr"),
    ("ip", "daddr"),
    ("ip6", "saddr"),
    ("ip6", "daddr"),
    ("meta", "l4proto"),
    ("meta", "nfproto"),
    ("th", "dport"),
    ("th", "sport"),
    ("tcp", "dport"),
    ("tcp", "sport"),
    ("tcp", "flags"),
    ("tcp", "sequence"),
    ("udp", "dport"),
    ("ct", "state"),
    ("ct", "status"),
    ("ct", "direction"),
}
LONE_SELECTORS = {"iifname", "oifname"}


class NotUnderstood(Exception):
    """A ruleset says something that the tracer has no meaning for."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A number that chooses a backend: strictly in turn (`numgen inc`), or by the hash of a selector."""

    count: int
    hashed: str = ""
    seed: int = 0


Selector = str | Chosen


@dataclass(frozen=True, slots=True)
class Elements:
    """A set or map: each key's parts, and what the key leads to ("" in a set)."""

    name: str
    items: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Go on with the rule only if the selected values are among the elements, or are not."""

    selectors: tuple[Selector, ...]
    among: str | Elements
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Flags:
    """Go on only if of the flags in the mask these are set, all and no others; without a mask, if any of these is."""

    wanted: frozenset[str]
    mask: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Learn:
    """Put the selected values into a set."""

    among: str
    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a map says of the selected values."""

    selectors: tuple[Selector, ...]
    among: str | Elements


@dataclass(frozen=True, slots=True)
class Verdict:
    """accept, drop, return, jump or goto (with a target), or reject (with its answer)."""

    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The verdict that a verdict map has for the selected values."""

    lookup: Lookup


@dataclass(frozen=True, slots=True)
class Dnat:
    """A new destination: address, and port where one is given."""

    to: Lookup | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Masquerade:
    """The source becomes the address of the link that the packet leaves by."""


@dataclass(frozen=True, slots=True)
class SetTimeout:
    """The connection is given another set of timeouts."""

    name: str


Statement = Match | Flags | Learn | Verdict | Dispatch | Dnat | Masquerade | SetTimeout


@dataclass(frozen=True, slots=True)
class Rule:
    """Statements, and the text they were read from."""

    statements: tuple[Statement, ...]
    text: str


@dataclass(slots=True)
class Chain:
    """A chain; a base chain has a hook."""

    name: str
    rules: list[Rule] = field(default_factory=list)
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"


@dataclass(slots=True)
class Table:
    """One table's sets, maps and chains."""

    family: str
    name: str
    elements: dict[str, Elements] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)
    timeouts: set[str] = field(default_factory=set)


def parse_ruleset(text: str) -> list[Table]:
    """All tables of a text; `table` and `delete table` lines before a block have nothing to say about packets."""
    words = Words([[*_WORD.findall(line), "\n"] for line in text.splitlines()])
    tables: list[Table] = []
    while words.skip_ends():
        if words.take_if("delete"):
            words.expect("table")
            words.take_line()
            continue
        words.expect("table")
        table = Table(words.take(), words.take())
        if words.take_if("{"):
            _parse_table(words, table)
            tables.append(table)
    return tables


class Words:
    """The words that are still to be read."""

    def __init__(self, lines: list[list[str]]) -> None:
        self._words = [word for line in lines for word in line]
        self._at = 0

    def peek(self) -> str:
        """The next word; "" at the end."""
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self) -> str:
        """The next word, without its quotes."""
        word = self.peek()
        self._at += 1
        return word.strip('"')

    def take_if(self, word: str) -> bool:
        """Whether the next word is this one; it is read then."""
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def expect(self, *wanted: str) -> None:
        """Read these words.

        Raises:
            NotUnderstood: there are others.
        """
        for word in wanted:
            if not self.take_if(word):
                raise NotUnderstood(f"{self.peek()!r} where {word!r} should be")

    def skip_ends(self) -> bool:
        """Skip ends of lines and statements; whether anything follows."""
        while self.peek() in ("\n", ";"):
            self._at += 1
        return bool(self.peek())

    def take_line(self) -> str:
        """The rest of a line or, where a brace is open, all up to the line on which it is closed."""
        found, depth = [], 0
        while self.peek() and (depth or self.peek() != "\n"):
            word = self._words[self._at]
            depth += (word == "{") - (word == "}")
            found.append(word)
            self._at += 1
        return " ".join(word for word in found if word != "\n")


def _parse_table(words: Words, table: Table) -> None:
    parts: dict[str, Callable[[Words, Table], None]] = {
        "set": _parse_elements,
        "map": _parse_elements,
        "chain": _parse_chain,
        "ct": _parse_timeout,
    }
    while words.skip_ends() and not words.take_if("}"):
        word = words.take()
        if word not in parts:
            raise NotUnderstood(f"{word!r} in table {table.name}")
        parts[word](words, table)


def _parse_elements(words: Words, table: Table) -> None:
    name = words.take()
    words.expect("{")
    items: Elements = Elements(name, ())
    while words.skip_ends() and not words.take_if("}"):
        word = words.take()
        if word in ("type", "flags", "comment", "typeof", "timeout", "size"):
            while words.peek() not in (";", "\n"):
                words.take()
        elif word == "elements":
            words.expect("=")
            items = parse_items(words, name)
        else:
            raise NotUnderstood(f"{word!r} in {name}")
    table.elements[name] = items


def parse_items(words: Words, name: str = "") -> Elements:
    """The elements between braces: keys, and values after a colon."""
    items: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    words.expect("{")
    key: list[str] = []
    value: list[str] = []
    into = key
    while True:
        word = words.take()
        if word in ("}", ","):
            if key:
                items.append((tuple(key), tuple(value)))
            if word == "}":
                return Elements(name, tuple(items))
            key, value = [], []
            into = key
        elif word == ":":
            into = value
        elif word in ("timeout", "expires"):
            words.take()  # how long an element that the rules have learnt is kept
        elif word not in ("\n", "."):
            into.append(word)
        elif not word:
            raise NotUnderstood(f"{name} has no end")


def _parse_timeout(words: Words, table: Table) -> None:
    words.expect("timeout")
    table.timeouts.add(words.take())
    if not words.take_line().endswith("}"):
        raise NotUnderstood("a timeout object without an end")


def _parse_chain(words: Words, table: Table) -> None:
    chain = Chain(words.take())
    words.expect("{")
    while words.skip_ends() and not words.take_if("}"):
        if words.take_if("comment"):
            words.take()
        elif words.take_if("policy"):
            chain.policy = words.take()
        elif words.take_if("type"):
            chain.kind = words.take()
            words.expect("hook")
            chain.hook = words.take()
            words.expect("priority")
            chain.priority = _priority(words)
        else:
            chain.rules.append(parse_rule(words.take_line()))
    table.chains[chain.name] = chain


def _priority(words: Words) -> int:
    word = words.take()
    value = _PRIORITIES[word] if word in _PRIORITIES else int(word)
    while words.peek() in ("+", "-"):
        value += int(words.take() + words.take())
    return value


def parse_rule(text: str) -> Rule:
    """One rule; its comment, which says nothing to a packet, is left out.

    Raises:
        NotUnderstood: names the rule and the word.
    """
    text = text.partition(' comment "')[0]
    words = Words([_WORD.findall(text)])
    statements: list[Statement] = []
    try:
        while words.peek():
            statements.append(_statement(words))
    except (NotUnderstood, ValueError) as error:
        raise NotUnderstood(f"{error} in rule {text!r}") from error
    return Rule(tuple(statements), text)


def _statement(words: Words) -> Statement:
    word = words.peek()
    match word:
        case "accept" | "drop" | "return":
            return Verdict(words.take())
        case "jump" | "goto":
            return Verdict(words.take(), words.take())
        case "reject":
            return _reject(words)
        case "masquerade":
            words.take()
            return Masquerade()
        case "dnat":
            return _dnat(words)
        case "add" | "update":
            return _learn(words)
    selectors = _selectors(words)
    if selectors == ("ct timeout",):
        return SetTimeout(words.take())
    if selectors == ("tcp flags",):
        return _flags(words)
    if words.take_if("vmap"):
        return Dispatch(Lookup(selectors, _among(words)))
    negated = words.take_if("!=")
    return Match(selectors, _among(words), negated)


def _flags(words: Words) -> Flags:
    wanted = _listed(words)
    return Flags(wanted, _listed(words) if words.take_if("/") else None)


def _listed(words: Words) -> frozenset[str]:
    values = [words.take()]
    while words.take_if(","):
        values.append(words.take())
    return frozenset(values)


def _learn(words: Words) -> Learn:
    words.take()
    name = words.take().removeprefix("@")
    words.expect("{")
    selectors = _selectors(words)
    words.expect("}")
    return Learn(name, selectors)


def _reject(words: Words) -> Verdict:
    words.expect("reject")
    if not words.take_if("with"):
        return Verdict("reject", "icmp port-unreachable")
    return Verdict("reject", f"{words.take()} {words.take()}")


def _dnat(words: Words) -> Dnat:
    words.expect("dnat")
    if words.peek() in ("ip", "ip6"):
        words.take()
    words.expect("to")
    if not _is_selector(words.peek()):
        return Dnat(_target(words.take()))
    selectors = _selectors(words)
    words.expect("map")
    return Dnat(Lookup(selectors, _among(words)))


def _target(word: str) -> tuple[str, ...]:
    """`10.0.0.3`, `10.0.0.3:80`, `fd00::3`, `[fd00::3]:80`: address, and port where there is one."""
    if found := re.fullmatch(r"\[(.+)\](?::(\d+))?", word):
        return tuple(part for part in found.groups() if part)
    return tuple(word.split(":")) if word.count(":") == 1 else (word,)


def _is_selector(word: str) -> bool:
    firsts = {first for first, _ in SELECTORS} | {"numgen", "jhash", "fib"}
    return word in firsts or word in LONE_SELECTORS


def _selectors(words: Words) -> tuple[Selector, ...]:
    found = [_selector(words)]
    while words.take_if("."):
        found.append(_selector(words))
    return tuple(found)


def _selector(words: Words) -> Selector:
    first = words.take()
    if first in LONE_SELECTORS:
        return first
    if first == "fib":
        side = words.take()
        words.expect("type")
        return f"fib {side} type"
    if first == "numgen":
        words.expect("inc", "mod")
        return Chosen(int(words.take()))
    if first == "jhash":
        hashed = f"{words.take()} {words.take()}"
        words.expect("mod")
        count = int(words.take())
        words.expect("seed")
        return Chosen(count, hashed, int(words.take(), 0))
    second = words.take()
    if (first, second) == ("ct", "timeout"):
        words.expect("set")
        return "ct timeout"
    if (first, second) not in SELECTORS:
        raise NotUnderstood(f"{first} {second}".strip())
    return f"{first} {second}"


def _among(words: Words) -> str | Elements:
    """`@name`, a set in braces, or one value or several with commas between them."""
    word = words.peek()
    if word.startswith("@"):
        return words.take()[1:]
    if word == "{":
        return parse_items(words)
    return Elements("", tuple(((value,), ()) for value in sorted(_listed(words))))
