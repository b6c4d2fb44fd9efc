"""The clock: sane, and kept right by somebody. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hivelet.doctor.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFacts:
    """`built`: when this hivelet was installed, before which it cannot be; `synchronised` None: not known."""

    now: datetime
    built: datetime
    synchronised: bool | None = None


def check_clock(facts: ClockFacts) -> Iterator[Finding]:
    """Whether the time can be believed."""
    wrong = facts.now < facts.built
    yield Finding(
        name="clock",
        seen=f"{facts.now:%Y-%m-%d %H:%M:%S} UTC"
        + (f", which is before hivelet was installed ({facts.built:%Y-%m-%d})" if wrong else ""),
        level="serious" if wrong else "ok",
        meaning="certificates of registries are refused, and the ages of tasks and images are wrong",
        way_out="set the clock: date -s, or install systemd-timesyncd or chrony",
    )
    if facts.synchronised is not None:
        yield Finding(
            name="clock-synchronised",
            seen="the kernel's clock is synchronised"
            if facts.synchronised
            else "nobody keeps the kernel's clock right",
            level="ok" if facts.synchronised else "note",
            meaning="it drifts: times in logs disagree with other machines'",
            way_out="apt-get install systemd-timesyncd, or chrony; in a virtual machine the host may do it",
        )
