"""The list of scenarios, filled by the decorator `scenario`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scenarios.stage import Stage


@dataclass(frozen=True)
class Scenario:
    """A scene with a name; `alone` ones change the node, and are played when nobody else plays."""

    name: str
    play: Callable[[Stage], None]
    alone: bool = False

    @property
    def about(self) -> str:
        """What it shows, in a sentence."""
        return (self.play.__doc__ or "").strip()


SCENARIOS: list[Scenario] = []


def scenario(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Make a function a scenario; its name is the scenario's."""
    SCENARIOS.append(Scenario(play.__name__, play))
    return play


def alone(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Make a function a scenario that has the node to itself."""
    SCENARIOS.append(Scenario(play.__name__, play, alone=True))
    return play
