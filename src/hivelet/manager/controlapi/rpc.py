"""Refusals as dockerd passes them on from SwarmKit: `rpc error: code = … desc = …`, which clients print and match.

Only the category decides the HTTP status; it is dockerd's for the same gRPC code.
"""

from __future__ import annotations

from hivelet.errors import Forbidden, InvalidParameter, NotImplemented, OutOfSequence


def _say(code: str, message: str) -> str:
    return f"rpc error: code = {code} desc = {message}"


def invalid(message: str) -> InvalidParameter:
    """The request is wrong as it stands."""
    return InvalidParameter(_say("InvalidArgument", message))


def failed_precondition(message: str) -> InvalidParameter:
    """The cluster's present state forbids it; dockerd makes a 400 of that."""
    return InvalidParameter(_say("FailedPrecondition", message))


def denied(message: str) -> Forbidden:
    """Never, for anybody."""
    return Forbidden(_say("PermissionDenied", message))


def unimplemented(message: str) -> NotImplemented:
    """SwarmKit does not do this."""
    return NotImplemented(_say("Unimplemented", message))


def out_of_sequence() -> OutOfSequence:
    """Somebody else wrote the object in between."""
    return OutOfSequence(_say("Unknown", "update out of sequence"))
