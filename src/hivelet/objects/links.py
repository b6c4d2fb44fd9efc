"""Links between containers, as users write them and as `inspect` shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hivelet.errors import InvalidParameter


def split_link(text: str) -> tuple[str, str]:
    """A link's container and alias, from `NAME[:ALIAS]` or from what `inspect` shows.

    Raises:
        InvalidParameter: it has another form.
    """
    name, _, alias = text.partition(":")
    if not name or ":" in alias:
        raise InvalidParameter(f"bad format for links: {text}")
    name = name.removeprefix("/")
    return name, alias.rpartition("/")[2] or name


def shown_links(links: Iterable[str], name: str) -> list[str]:
    """A container's links as `inspect` shows them: `/db:/web/database`."""
    return [f"/{target}:/{name}/{alias}" for target, alias in map(split_link, links)]
