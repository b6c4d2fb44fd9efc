"""What happened, as Docker's events tell it: to a container, image, volume or network, or to an object of the swarm."""

from __future__ import annotations

from datetime import datetime

from hivelet.objects.common import Struct


class Event(Struct, frozen=True, kw_only=True):
    """One event: what kind of object, what was done, to which, and what is worth knowing of it.

    `scope` is "local" for what is this node's and "swarm" for what is the cluster's.
    """

    type: str
    action: str
    actor_id: str
    attributes: dict[str, str] = {}
    scope: str = "local"
    at: datetime
