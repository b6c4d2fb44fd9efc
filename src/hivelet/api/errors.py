"""Error categories as HTTP answers; the only place that knows Docker's status codes."""

from __future__ import annotations

from hivelet import errors
from hivelet.errors import HiveletError

_STATUSES: tuple[tuple[type[HiveletError], int], ...] = (
    # The first that fits counts, so that OutOfSequence, which is a Conflict, gets Docker's own answer for it.
    (errors.OutOfSequence, 500),
    (errors.InvalidParameter, 400),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
    (errors.NotImplemented, 501),
    (errors.System, 500),
)


_RPC = "rpc error:"
"""How every error begins that SwarmKit tells dockerd."""


class PageNotFound(errors.NotFound):
    """No route has this path, method and version."""

    def __init__(self) -> None:
        super().__init__("page not found")


class ClientGone(errors.InvalidParameter):
    """The client closed the connection in the middle of its request; nobody will read the answer."""


class BodyTooLarge(errors.InvalidParameter):
    """What came is more than a request may have."""


class TooSlow(errors.InvalidParameter):
    """What was announced did not come in time."""


def status_of(error: HiveletError) -> int:
    """The status code of an error's category."""
    return next((status for kind, status in (*_OURS, *_STATUSES) if isinstance(error, kind)), 500)


_OURS: tuple[tuple[type[HiveletError], int], ...] = ((BodyTooLarge, 413), (TooSlow, 408))
"""What Docker has no bound for, with HTTP's own codes."""


def message_of(error: HiveletError) -> str:
    """The message as clients see it; that of a stale version in the form that they match on."""
    if isinstance(error, errors.OutOfSequence) and not error.message.startswith(_RPC):
        return f"{_RPC} code = Unknown desc = {error.message}"
    return error.message
