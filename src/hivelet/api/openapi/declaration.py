"""What a route says of itself in its row: what it takes, what it answers, how it refuses. Pure.

The row is the only place where this is written. A test reads the code of the routes for parameters that no row says,
and another asks a running daemon for answers that a row does not allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

JSON = "application/json"
TEXT = "text/plain"
TAR = "application/x-tar"
BYTES = "application/octet-stream"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"
LOG = (RAW_STREAM, MULTIPLEXED_STREAM)

LOG_QUERY = (
    "stdout:flag stderr:flag follow:flag since:time until:time tail timestamps:flag details:flag"
)
ATTACH_QUERY = "stdin:flag stdout:flag stderr:flag logs:flag stream:flag detachKeys"
BUILD_QUERY = (
    "t:texts dockerfile remote target buildargs:json labels:json platform networkmode extrahosts:texts securityopt:texts "
    "nocache:flag pull:flag q:flag squash:flag outputs version ulimits:json memory:integer memswap:integer shmsize:integer "
    "cpushares:integer cpuperiod:integer cpuquota:integer cpusetcpus cpusetmems"
)

_KINDS = ("flag", "integer", "text", "texts", "json", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query; `texts` may come several times."""

    name: str
    kind: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """A route's declaration.

    `query` names parameters as `NAME[:KIND][!]`, of the kinds above, text where none is given; `!` is one that must be there.
    `body` is a struct, a schema, or the content type of a body that is no JSON; `answer` the schema of a JSON answer.
    `statuses` are those of success, the first of which has the answer; `errors` those that this route has beside the usual.
    """

    query: str = ""
    filters: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: type[Any] | Schema | str | None = None
    body_optional: bool = False
    statuses: tuple[int, ...] = (200,)
    content: str | tuple[str, ...] = JSON
    answer: Schema | None = None
    errors: tuple[int, ...] = field(default=())

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The query's parameters, `filters` last."""
        named = [_parameter(word) for word in self.query.split()]
        if self.filters:
            named.append(Parameter(name="filters", kind="json"))
        return tuple(named)


NOTHING = Says()
"""What a route says that takes nothing but its path and whose answer is any JSON."""


def _parameter(word: str) -> Parameter:
    name, _, kind = word.removesuffix("!").partition(":")
    assert kind in {"", *_KINDS}, f"{word}: no such kind"
    return Parameter(name=name, kind=kind or "text", required=word.endswith("!"))
