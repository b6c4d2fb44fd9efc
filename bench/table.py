"""The results as one Markdown table: readable in a terminal, and ready for a README."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """What a row shall reach: a factor over Docker Swarm, or a bound of its own."""

    text: str
    factor: float | None = None
    bound: float | None = None

    def reached(self, ours: float, theirs: float | None) -> bool | None:
        """Whether it is; None where the peer was not measured."""
        if self.bound is not None:
            return ours <= self.bound
        if self.factor is None or theirs is None:
            return None
        return theirs / ours >= self.factor


@dataclass
class Row:
    """One work, measured several times on each engine; less is better."""

    work: str
    unit: str
    goal: Goal
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, engine: str, value: float) -> None:
        """One more sample."""
        self.samples.setdefault(engine, []).append(value)

    def median(self, engine: str) -> float | None:
        """The median on one engine."""
        values = self.samples.get(engine)
        return statistics.median(values) if values else None


def number(value: float | None, unit: str) -> str:
    """A figure with three digits that mean something."""
    if value is None:
        return "–"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} {unit}"


def render(rows: Sequence[Row], engines: Mapping[str, str]) -> str:
    """The table; `engines` gives each column's heading, the peer first and hivelet last."""
    theirs, ours = list(engines)
    lines = [
        ["work", engines[theirs], engines[ours], "ratio", "goal", "reached"],
        *(
            [
                row.work,
                number(row.median(theirs), row.unit),
                number(row.median(ours), row.unit),
                _ratio(row.median(theirs), row.median(ours)),
                row.goal.text,
                _verdict(row, theirs, ours),
            ]
            for row in rows
        ),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    body = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    body.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(body)


def _ratio(theirs: float | None, ours: float | None) -> str:
    return f"{theirs / ours:.1f} ×" if theirs is not None and ours else "–"


def _verdict(row: Row, theirs: str, ours: str) -> str:
    value = row.median(ours)
    reached = None if value is None else row.goal.reached(value, row.median(theirs))
    return {True: "yes", False: "no", None: "–"}[reached]
