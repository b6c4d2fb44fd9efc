"""What a daemon may leave behind on a machine, taken as values that can be compared: links, rules, mounts, processes, …"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.machine import Machine


@dataclass(frozen=True)
class Traces:
    """Each field is a set of lines that mean something to a reader of a failure."""

    links: frozenset[str]
    rules: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    processes: frozenset[str]
    namespaces: frozenset[str]

    def since(self, before: Traces) -> dict[str, list[str]]:
        """What is here now and was not `before`, by kind; empty if nothing was left behind."""
        more = {
            f.name: sorted(getattr(self, f.name) - getattr(before, f.name)) for f in fields(self)
        }
        return {kind: lines for kind, lines in more.items() if lines}


def _rules(machine: Machine) -> frozenset[str]:
    """Each line with its table and chain in front, a set's elements one by one; -s leaves handles and counters out."""
    listing = machine.run(["nft", "-s", "list", "ruleset"]).stdout
    # The elements of a set are folded over several lines.
    listing = re.sub(r",\n\s+", ", ", listing)
    lines, table, chain = [], "", ""
    learnt = False
    for line in map(str.strip, listing.splitlines()):
        if line.startswith("table "):
            table, chain = line.removesuffix(" {"), ""
            lines.append(table)
        elif re.match(r"(chain|set|map) ", line):
            chain, learnt = line.removesuffix(" {"), False
            lines.append(f"{table} · {chain}")
        elif line.startswith("flags ") and "timeout" in line:
            learnt = True  # the kernel puts elements there, and takes them out, by itself
        elif learnt and line.startswith("elements = { "):
            continue
        elif line.startswith("elements = { "):
            elements = line.removeprefix("elements = { ").removesuffix(" }").split(", ")
            lines += [f"{table} · {chain} · {element}" for element in elements]
        elif line not in ("", "}"):
            lines.append(f"{table} · {chain} · {line}")
    return frozenset(lines)


def _namespaces(machine: Machine) -> frozenset[str]:
    """Network namespaces bound to a file, wherever the file is."""
    lines = (machine.proc / "1/mountinfo").read_text().splitlines()
    return frozenset(line.split()[4] for line in lines if " - nsfs " in line)


def take_traces(machine: Machine) -> Traces:
    """Look at everything once."""
    links = json.loads(machine.run(["ip", "-json", "link"]).stdout)
    mounts = (machine.proc / "1/mountinfo").read_text().splitlines()
    processes = []
    inside = os.readlink(machine.proc / "1/ns/pid")
    for _, folder in machine.processes():
        try:
            words = (
                (folder / "cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode(errors="replace")
                .strip()
            )
            where = "" if os.readlink(folder / "ns/pid") == inside else "in a container: "
        except (FileNotFoundError, ProcessLookupError):
            continue
        processes.append(where + words)
    return Traces(
        links=frozenset(link["ifname"] for link in links),
        rules=_rules(machine),
        mounts=frozenset(line.split()[4] for line in mounts if " - nsfs " not in line),
        # A daemon may keep its own parent for as long as it lives.
        cgroups=frozenset(
            str(path) for path in machine.cgroups() if path.name != machine.cgroup_parent
        ),
        processes=frozenset(processes),
        namespaces=_namespaces(machine),
    )
