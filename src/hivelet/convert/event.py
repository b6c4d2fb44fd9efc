"""Events as JSON, and the filters of `GET /events`."""

from __future__ import annotations

from datetime import UTC, datetime

from hivelet.convert.filters import Filters
from hivelet.convert.query import timestamp_ns
from hivelet.convert.shape import Json
from hivelet.errors import InvalidParameter
from hivelet.objects.event import Event

_ACTORS = (
    "container",
    "image",
    "volume",
    "network",
    "service",
    "node",
    "secret",
    "config",
    "plugin",
    "daemon",
)

FILTERS = ("type", "event", "label", "scope", *_ACTORS)
"""What `GET /events` filters by."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_event(event: Event) -> Json:
    """An event; those of containers and images carry Docker's old keys as well, which old clients read."""
    past = event.at - _EPOCH
    nanoseconds = ((past.days * 86400 + past.seconds) * 1_000_000 + past.microseconds) * 1000
    answer: Json = {}
    if event.type in {"container", "image"}:
        answer = {"status": event.action, "id": event.actor_id}
        if event.type == "container" and "image" in event.attributes:
            answer["from"] = event.attributes["image"]
    return answer | {
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": event.actor_id, "Attributes": event.attributes},
        "scope": event.scope,
        "time": nanoseconds // 1_000_000_000,
        "timeNano": nanoseconds,
    }


def matches(event: Event, filters: Filters) -> bool:
    """Whether a listener wants this event."""
    return (
        filters.exact("type", event.type)
        and filters.exact("scope", event.scope)
        and filters.exact("event", event.action, event.action.partition(":")[0])
        and filters.labels("label", event.attributes)
        and all(_is_actor(event, kind, filters) for kind in _ACTORS)
    )


def parse_span(since: str, until: str) -> tuple[datetime | None, datetime | None]:
    """The parameters `since` and `until` as moments.

    Raises:
        InvalidParameter: one is no time, or they are the wrong way round.
    """
    first, last = timestamp_ns(since), timestamp_ns(until)
    if since and until and first > last:
        raise InvalidParameter(f"`since` time ({since}) cannot be after `until` time ({until})")
    return (_moment(first) if since else None, _moment(last) if until else None)


def _moment(time_ns: int) -> datetime:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def _is_actor(event: Event, kind: str, filters: Filters) -> bool:
    """A filter by kind of object wants events of that object, by id (or its beginning), name, or a container's image."""
    if kind not in filters:
        return True
    name = event.attributes.get("name", "")
    if event.type == kind:
        return filters.prefix(kind, event.actor_id) or filters.exact(kind, name, f"/{name}")
    if kind == "image" and event.type == "container":
        image = event.attributes.get("image", "")
        return filters.exact(kind, image, image.removesuffix(":latest"))
    return False
