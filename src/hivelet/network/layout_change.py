"""What turns the layout of a sandbox that is in use into another one: a network joined or left. Pure.

Links that both have stay as they are, with all that goes through them. What the new layout has is made again as a whole,
which is idempotent; so only what the old one alone has must be named here.
"""

from __future__ import annotations

from dataclasses import dataclass

from hivelet.network.layout import Link, Route, SandboxLayout, SourceRule


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutChange:
    """Links to make, and what must go; the routes of links that go go with them."""

    new: tuple[Link, ...]
    old: tuple[Link, ...]
    routes: tuple[Route, ...]
    rules: tuple[SourceRule, ...]


def diff_layouts(before: SandboxLayout, after: SandboxLayout) -> LayoutChange:
    """The change from one layout of a sandbox to another."""
    old = tuple(link for link in before.links if link not in after.links)
    gone = {link.interface for link in old}
    kept = {_place(route) for route in after.routes}
    return LayoutChange(
        new=tuple(link for link in after.links if link not in before.links),
        old=old,
        routes=tuple(
            route
            for route in before.routes
            if _place(route) not in kept and route.interface not in gone
        ),
        rules=tuple(rule for rule in before.rules if rule not in after.rules),
    )


def _place(route: Route) -> tuple[str, bool, int]:
    """What a route is replaced by: another one to the same destination, of the same family, in the same table."""
    return route.destination, ":" in (route.via or route.destination), route.table
