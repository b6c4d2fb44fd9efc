"""What on this host stands in the way of packets: found, and named with the way out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hivelet.network.firewall.passes import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something on the host that may hinder the network: a stable name, what it means, and the way out."""

    name: str
    meaning: str
    repair: str


def describe_step(step: Step, failure: str = "") -> Finding:
    """A firewall that drops our packets, with what would let them pass; `failure`: why we could not do it."""
    meaning = (
        f"{step.place} drops packets of hivelet's bridges: published ports, service addresses, names and the way out "
        "may time out"
    )
    return Finding(
        name="firewall-drops",
        meaning=f"{meaning} (hivelet's rule for it failed: {failure})" if failure else meaning,
        repair=step.command,
    )


def describe_refusal(failure: str) -> tuple[Finding, ...]:
    """Rules that can't be written, where there is a `failure`."""
    if not failure:
        return ()
    return (
        Finding(
            name="rules-refused",
            meaning=f"hivelet's rules can't be written, so published ports and service addresses may not work: {failure}.",
            repair="It is tried again until they can.",
        ),
    )
