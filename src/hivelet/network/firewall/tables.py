"""Other programs' filter tables as values, read out of what `iptables -S` and nft's JSON say. Pure.

Only what can drop is of interest: base chains of the hooks `forward` and `input`, whose last word is to drop (by policy,
or by a last rule without a condition), and where in them a rule of ours would stand.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Hook = Literal["forward", "input"]
HOOKS: tuple[Hook, ...] = ("forward", "input")

FIREWALLD = "firewalld"
_TERMINAL = ("DROP", "REJECT", "ACCEPT", "RETURN")


@dataclass(frozen=True, slots=True, kw_only=True)
class IptablesTable:
    """The filter table of one iptables program: each chain's rules as `-S` prints them, without the chain's name."""

    program: str
    family: Literal["ip", "ip6"]
    policies: Mapping[str, str]
    chains: Mapping[str, tuple[str, ...]]

    def drops(self, hook: Hook) -> bool:
        """Whether the hook's chain drops what none of its rules accepts."""
        chain = hook.upper()
        rules = self.chains.get(chain, ())
        last = unconditional_target(rules[-1]) if rules else ""
        return self.policies.get(chain) == "DROP" or last in ("DROP", "REJECT")

    def jumps(self, chain: str, target: str) -> bool:
        """Whether a rule of the chain leads to `target`."""
        return any(target_of(rule) == target for rule in self.chains.get(chain, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NftRule:
    """A rule of a native table: its handle, its comment, whether it drops or rejects everything, and where it jumps."""

    handle: int
    comment: str = ""
    drops_all: bool = False
    jumps_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NftChain:
    """A base chain of a native nftables table, with the number of rules that our own chain beside it has (None: none)."""

    family: str
    table: str
    name: str
    hook: Hook
    policy: str
    rules: tuple[NftRule, ...] = ()
    passes: int | None = None

    def drops(self) -> bool:
        """Whether it drops what none of its rules accepts."""
        return self.policy == "drop" or bool(self.rules and self.rules[-1].drops_all)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewalldTable:
    """firewalld's table: the links that are bound to zones (`hv-*` in nft's words), each with the zone's chain."""

    bound: Mapping[str, str] = field(default_factory=dict)


ForeignTable = IptablesTable | NftChain | FirewalldTable


def parse_iptables(program: str, family: Literal["ip", "ip6"], text: str) -> IptablesTable:
    """What `PROGRAM -S` printed for the table filter."""
    policies: dict[str, str] = {}
    chains: dict[str, list[str]] = {}
    for line in text.splitlines():
        verb, _, rest = line.strip().partition(" ")
        name, _, rule = rest.partition(" ")
        if verb == "-P":
            policies[name] = rule.split()[0]
            chains.setdefault(name, [])
        elif verb == "-N":
            chains.setdefault(name, [])
        elif verb == "-A":
            chains.setdefault(name, []).append(rule)
    return IptablesTable(
        program=program,
        family=family,
        policies=policies,
        chains={name: tuple(rules) for name, rules in chains.items()},
    )


def target_of(rule: str) -> str:
    """Where a rule of iptables leads, "" where it only counts."""
    words = shlex.split(rule)
    for flag in ("-j", "-g"):
        if flag in words[:-1]:
            return words[words.index(flag) + 1]
    return ""


def comment_of(rule: str) -> str:
    """The comment of a rule of iptables."""
    words = shlex.split(rule)
    return words[words.index("--comment") + 1] if "--comment" in words[:-1] else ""


def unconditional_target(rule: str) -> str:
    """The verdict of a rule that concerns every packet; "" for any other rule."""
    words = shlex.split(rule)
    return words[1] if words[:1] == ["-j"] and words[1] in _TERMINAL else ""


def parse_nft_chains(entries: Iterable[Mapping[str, Any]], passes: str) -> list[NftChain]:
    """The base chains of one table that filter forwarded or incoming packets; `entries` as nft's JSON lists a table.

    `passes` begins the names of our own chains: `PASSES-forward`, `PASSES-input`.
    """
    entries = list(entries)
    counts: dict[str, int] = {e["chain"]["name"]: 0 for e in entries if "chain" in e}
    rules: dict[str, list[NftRule]] = {}
    for entry in entries:
        if (rule := entry.get("rule")) is not None:
            counts[rule["chain"]] = counts.get(rule["chain"], 0) + 1
            rules.setdefault(rule["chain"], []).append(_parse_rule(rule))
    return [
        NftChain(
            family=chain["family"],
            table=chain["table"],
            name=chain["name"],
            hook=chain["hook"],
            policy=chain.get("policy", "accept"),
            rules=tuple(rules.get(chain["name"], ())),
            passes=counts.get(f"{passes}-{chain['hook']}"),
        )
        for entry in entries
        if (chain := entry.get("chain")) and chain.get("hook") in HOOKS
        if chain.get("type") == "filter"
    ]


def parse_firewalld(entries: Iterable[Mapping[str, Any]]) -> FirewalldTable:
    """Which links firewalld has in its zones, out of nft's JSON of its table."""
    bound = {}
    for entry in entries:
        rule = entry.get("rule")
        if rule is None or not _is_zone_dispatch(rule["chain"]):
            continue
        link, chain = "", ""
        for part in rule["expr"]:
            match = part.get("match", {})
            if match.get("left") == {"meta": {"key": "iifname"}}:
                link = match["right"]
            chain = (part.get("goto") or part.get("jump") or {}).get("target", chain)
        if isinstance(link, str) and link and chain:
            bound[link] = chain
    return FirewalldTable(bound=bound)


def _is_zone_dispatch(chain: str) -> bool:
    # filter_FORWARD_ZONES since firewalld 1.0, filter_FORWARD_IN_ZONES before.
    return chain.startswith("filter_FORWARD") and chain.endswith("ZONES")


def _parse_rule(rule: Mapping[str, Any]) -> NftRule:
    parts = [part for part in rule["expr"] if "counter" not in part and "log" not in part]
    last = parts[-1] if parts else {}
    return NftRule(
        handle=rule["handle"],
        comment=rule.get("comment", ""),
        drops_all=len(parts) == 1 and ("drop" in last or "reject" in last),
        jumps_to=(last.get("jump") or {}).get("target", ""),
    )
