"""Decisions as values: what is to be written, when to look again, and why.

Every loop of the manager reads, lets a pure function decide, and hands the resulting `Plan` to the store. A decision names
no new ids and takes no clock: an object with an empty id gets one at commit, and `now` was an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hivelet.objects.cluster import Cluster
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.secret import Config, Secret
from hivelet.objects.service import Service
from hivelet.objects.task import Task

Object = Service | Task | Node | Network | Secret | Config | Cluster
"""Whatever the cluster store holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One atomic change: all of it happens, or none.

    Updated and deleted objects carry the version at which they were read. Where one of them has moved on since, the store
    drops the whole write: the loop hears of the newer version anyway and decides again.
    """

    create: tuple[Object, ...] = ()
    update: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one decision wants. `wake_at` is the earliest moment at which time alone could change the decision."""

    writes: tuple[Write, ...] = ()
    wake_at: datetime | None = None
    why: str = ""


NOTHING = Plan()


def merge_plans(plans: Iterable[Plan]) -> Plan:
    """All writes in order, the earliest wake-up, all reasons."""
    listed = [plan for plan in plans if plan is not NOTHING]
    if not listed:
        return NOTHING
    return Plan(
        writes=tuple(write for plan in listed for write in plan.writes),
        wake_at=earliest(*(plan.wake_at for plan in listed)),
        why="; ".join(plan.why for plan in listed if plan.why),
    )


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the moments that are given."""
    return min((moment for moment in moments if moment is not None), default=None)
