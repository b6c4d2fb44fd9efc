"""What must be added to, or taken from, another program's firewall so that packets of our bridges pass. Pure.

In each table that drops: one chain of ours, and one tagged jump to it, where that firewall has its place for users'
rules (what users put before it wins) or else at the top of the hook's chain. The tag carries a digest of the chain's
rules, so that what is there already is left alone. What always holds: the chains accept nothing but what comes from
our bridges, goes to them, or asks our resolvers; who may talk to whom is still decided by our own table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from hivelet.network.firewall.tables import (
    HOOKS,
    FirewalldTable,
    ForeignTable,
    Hook,
    IptablesTable,
    NftChain,
    comment_of,
    target_of,
    unconditional_target,
)
from hivelet.network.names import RESOLVER_SUBNET

TAG = "hivelet"
ZONE = "trusted"
BRIDGE_PREFIX = "hv-"
"""Begins the name of every bridge of ours whose name no user chose (`names.bridge_name`)."""
_IPTABLES_WILDCARD = "+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Whose packets shall pass: `links` are our bridges, a wildcard "hv-*" for all that carry our prefix.

    `former` are links that once were ours. Towards `others`, bridges of other programs' containers and machines, their
    own rules decide. `open` False: nothing shall pass by our doing, and what we once added is taken away.
    """

    links: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one foreign table: what to run, with what input, and the same in words."""

    place: str
    argv: tuple[str, ...]
    script: str = ""
    adds: bool = True
    """Whether it lets packets pass that would be dropped; else it only takes away what is not needed."""
    unless: tuple[str, ...] = ()
    """A query whose success means that the user wants it to stay as it is."""

    @property
    def command(self) -> str:
        """What to type to the same effect."""
        return " ".join(self.argv) + (f" <<'END'\n{self.script}END" if self.script else "")


def name_links(bridges: Iterable[str]) -> tuple[str, ...]:
    """Our bridges in as few words as possible: one wildcard for all that begin with our prefix."""
    return tuple(
        sorted({f"{BRIDGE_PREFIX}*" if b.startswith(BRIDGE_PREFIX) else b for b in bridges})
    )


def plan_steps(tables: Iterable[ForeignTable], wish: Wish) -> tuple[Step, ...]:
    """All changes that lead to what is wished; none where all is as it should be."""
    steps: list[Step] = []
    for table in tables:
        match table:
            case IptablesTable():
                steps += _plan_iptables(table, wish)
            case NftChain():
                steps += _plan_nft(table, wish)
            case FirewalldTable():
                steps += _plan_firewalld(table, wish)
    return tuple(steps)


# ---- iptables


def _plan_iptables(table: IptablesTable, wish: Wish) -> list[Step]:
    lines: list[str] = []
    places: list[str] = []
    adds = False
    for hook in HOOKS:
        if wish.open and wish.links and table.drops(hook):
            parent = _user_chain(table, hook)
            if change := _open_iptables(table, hook, parent, wish):
                lines += change
                places.append(parent)
                adds = True
        elif change := _close_iptables(table, _own_chain(hook)):
            lines += change
            places.append(_own_chain(hook))
    if not lines:
        return []
    script = "\n".join(["*filter", *sorted(lines, key=_declares, reverse=True), "COMMIT", ""])
    return [
        Step(
            place=f"{table.program}, chain {' and '.join(places)}",
            argv=(f"{table.program}-restore", "--noflush"),
            script=script,
            adds=adds,
        )
    ]


def _declares(line: str) -> bool:
    return line.startswith(":")


def _own_chain(hook: Hook) -> str:
    return f"HIVELET-{hook.upper()}"


def _user_chain(table: IptablesTable, hook: Hook) -> str:
    """Where this firewall wants users' rules: Docker's chain, ufw's, or else the hook's own."""
    ufw = "ufw" if table.family == "ip" else "ufw6"
    if hook == "forward" and table.jumps("FORWARD", "DOCKER-USER"):
        return "DOCKER-USER"
    before = f"{ufw}-before-{hook}"
    user = f"{ufw}-user-{hook}"
    if table.jumps(hook.upper(), before) and table.jumps(before, user):
        return user
    return hook.upper()


def _open_iptables(table: IptablesTable, hook: Hook, parent: str, wish: Wish) -> list[str]:
    own = _own_chain(hook)
    rules = _iptables_rules(table.family, hook, wish)
    tag = f"{TAG}-{_digest(rules)}"
    jump = f'-m comment --comment "{tag}" -j {own}'
    stale = _jumps_to(table, own)
    if (
        [(chain, comment_of(rule)) for chain, rule in stale] == [(parent, tag)]
        and len(table.chains.get(own, ())) == len(rules)
        and not _is_hidden(table.chains[parent], own)
    ):
        return []
    place = "" if parent == hook.upper() else f" {_place_in(table.chains[parent], own)}"
    return [
        f":{own} - [0:0]",
        *(f"-A {own} {rule}" for rule in rules),
        *(f"-D {chain} {rule}" for chain, rule in stale),
        f"-I {parent}{place} {jump}",
    ]


def _is_hidden(rules: tuple[str, ...], own: str) -> bool:
    """Whether a rule for all packets stands before the jump to ours."""
    number = [target_of(rule) for rule in rules].index(own)
    return any(unconditional_target(rule) for rule in rules[:number])


def _place_in(rules: tuple[str, ...], own: str) -> int:
    """The number of the first rule for all packets, which would hide ours, or the next free one; ours not counted."""
    kept = [rule for rule in rules if target_of(rule) != own]
    final = (n for n, rule in enumerate(kept, 1) if unconditional_target(rule))
    return next(final, len(kept) + 1)


def _close_iptables(table: IptablesTable, own: str) -> list[str]:
    jumps = [f"-D {chain} {rule}" for chain, rule in _jumps_to(table, own)]
    return [*jumps, f"-F {own}", f"-X {own}"] if own in table.chains else jumps


def _jumps_to(table: IptablesTable, own: str) -> list[tuple[str, str]]:
    return [
        (chain, rule)
        for chain, rules in table.chains.items()
        for rule in rules
        if target_of(rule) == own
    ]


def _iptables_rules(family: str, hook: Hook, wish: Wish) -> list[str]:
    links = [link.replace("*", _IPTABLES_WILDCARD) for link in wish.links]
    if hook == "forward":
        return [
            *(f"-i {link} -o {other} -j RETURN" for link in links for other in wish.others),
            *(f"{way} {link} -j ACCEPT" for link in links for way in ("-i", "-o")),
        ]
    if family == "ip6":
        return [f"-i {link} -p ipv6-icmp -j ACCEPT" for link in links]
    return [
        rule
        for link in links
        for rule in (
            *(
                f"-d {RESOLVER_SUBNET} -i {link} -p {p} --dport 53 -j ACCEPT"
                for p in ("udp", "tcp")
            ),
            f"-i {link} -p icmp --icmp-type 8 -j ACCEPT",
        )
    ]


# ---- native nftables


def _plan_nft(chain: NftChain, wish: Wish) -> list[Step]:
    where = f"{chain.family} {chain.table}"
    own = f"{TAG}-{chain.hook}"
    jumps = [rule for rule in chain.rules if rule.jumps_to == own]
    removal = [f"delete rule {where} {chain.name} handle {rule.handle}" for rule in jumps]
    if not (wish.open and wish.links and chain.drops()):
        if chain.passes is not None:
            removal += [f"flush chain {where} {own}", f"delete chain {where} {own}"]
        return [_nft_step(chain, removal, adds=False)] if removal else []
    rules = _nft_rules(chain.family, chain.hook, wish)
    tag = f"{TAG}-{_digest(rules)}"
    if [rule.comment for rule in jumps] == [tag] and chain.passes == len(rules):
        return []
    lines = [
        *removal,
        f"add chain {where} {own}",
        f"flush chain {where} {own}",
        *(f"add rule {where} {own} {rule}" for rule in rules),
        f'insert rule {where} {chain.name} jump {own} comment "{tag}"',
    ]
    return [_nft_step(chain, lines, adds=True)]


def _nft_step(chain: NftChain, lines: list[str], *, adds: bool) -> Step:
    return Step(
        place=f"table {chain.family} {chain.table}, chain {chain.name}",
        argv=("nft", "-f", "-"),
        script="\n".join([*lines, ""]),
        adds=adds,
    )


def _nft_rules(family: str, hook: Hook, wish: Wish) -> list[str]:
    if hook == "forward":
        return [
            *(
                f'iifname "{link}" oifname "{other}" return'
                for link in wish.links
                for other in wish.others
            ),
            *(f'{way} "{link}" accept' for link in wish.links for way in ("iifname", "oifname")),
        ]
    rules = []
    for link in wish.links:
        if family != "ip6":
            dns = "meta l4proto { tcp, udp } th dport 53"
            rules.append(f'iifname "{link}" ip daddr {RESOLVER_SUBNET} {dns} accept')
            rules.append(f'iifname "{link}" icmp type echo-request accept')
        if family != "ip":
            rules.append(f'iifname "{link}" meta l4proto ipv6-icmp accept')
    return rules


# ---- firewalld


def _plan_firewalld(table: FirewalldTable, wish: Wish) -> list[Step]:
    """Bind our bridges to the zone that accepts everything; one that a user has bound elsewhere stays there."""
    wanted = set(wish.links) if wish.open else set()
    missing = [link for link in sorted(wanted) if link not in table.bound]
    ours = {*wish.links, *wish.former, f"{BRIDGE_PREFIX}*"}
    stale = [
        link
        for link, chain in table.bound.items()
        if link in ours - wanted and chain.endswith(f"_{ZONE}")
    ]
    return [_zone_step("add", link) for link in missing] + [
        _zone_step("remove", link) for link in stale
    ]


def _zone_step(verb: str, link: str) -> Step:
    name = link.replace("*", _IPTABLES_WILDCARD)
    zone = ("firewall-cmd", f"--zone={ZONE}")
    return Step(
        place=f"firewalld, zone {ZONE}",
        argv=(*zone, f"--{verb}-interface={name}"),
        adds=verb == "add",
        unless=(*zone, "--permanent", f"--query-interface={name}") if verb == "remove" else (),
    )


def _digest(rules: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()[:8]
