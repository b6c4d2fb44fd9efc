"""Which route a request means: paths with and without a version, as one flat table. Pure.

A path parameter is written `{name}` and takes one segment, `{name:path}` takes several, as image names need.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp import web

from hivelet.api.call import Call
from hivelet.api.errors import PageNotFound
from hivelet.api.openapi.declaration import NOTHING, Says
from hivelet.convert.versions import MAXIMUM, MINIMUM, ApiVersion, parse_version
from hivelet.errors import NotImplemented

Answer = Callable[[Call], Awaitable[web.StreamResponse]]

_VERSIONED = re.compile(r"/v(\d[^/]*)(/.*)", re.DOTALL)
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. A `streaming` one ends with its client; any other finishes what was asked, client or not."""

    method: str
    path: str
    answer: Answer
    since: ApiVersion = MINIMUM
    streaming: bool = False
    says: Says = NOTHING
    missing: bool = False


def route(
    method: str,
    path: str,
    answer: Answer,
    says: Says = NOTHING,
    *,
    since: str = "1.24",
    streaming: bool = False,
) -> Route:
    """A row of a route table."""
    return Route(
        method=method,
        path=path,
        answer=answer,
        since=parse_version(since),
        streaming=streaming,
        says=says,
    )


def missing(method: str, path: str, what: str) -> Route:
    """A route of Docker's that hivelet does not serve yet; it says so instead of pretending that it never was."""

    async def refuse(_: Call) -> web.StreamResponse:
        raise NotImplemented(f"hivelet does not do this yet: {what}")

    return Route(method=method, path=path, answer=refuse, missing=True)


class Router:
    """All routes, found by method and first segment and then in the order of the table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._index: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for row in routes:
            first = row.path.split("/")[1]
            self._index.setdefault((row.method, first), []).append((_compile(row.path), row))

    def find(self, method: str, path: str) -> tuple[Route, ApiVersion, dict[str, str]]:
        """The route, the version that is spoken, and the path's parameters.

        Raises:
            PageNotFound: there is no such route, or not yet in that version.
            InvalidParameter: the version is not served.
        """
        version = MAXIMUM
        if match := _VERSIONED.fullmatch(path):
            version, path = parse_version(match[1]), match[2]
        path = path.rstrip("/") or "/"
        first = path.partition("/")[2].partition("/")[0]
        for pattern, row in self._index.get((method, first), ()):
            found = pattern.fullmatch(path)
            if found and version >= row.since:
                return row, version, found.groupdict()
        raise PageNotFound


def _compile(path: str) -> re.Pattern[str]:
    def pattern(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>.+)" if match[2] else f"(?P<{match[1]}>[^/]+)"

    return re.compile(_PARAMETER.sub(pattern, path), re.DOTALL)
