"""The validated way into the cluster store: what the API's `SwarmBackend` calls.

`ControlApi(store, host)` is all of it, one file per noun. Every write is checked against the rules of the spec alone (`validate`)
and against the cluster (`conflicts`) inside one transaction, and acknowledged when it is durable. Refusals are in the words of
dockerd and SwarmKit, because clients match on them.
"""

from hivelet.manager.controlapi.attachments import AttachmentsApi
from hivelet.manager.controlapi.cluster import ClusterApi
from hivelet.manager.controlapi.door import Host
from hivelet.manager.controlapi.events import EventsApi
from hivelet.manager.controlapi.files import FilesApi
from hivelet.manager.controlapi.locking import LockingApi
from hivelet.manager.controlapi.networks import NetworksApi
from hivelet.manager.controlapi.services import ServicesApi

__all__ = ["ControlApi", "Host"]


class ControlApi(
    ClusterApi, LockingApi, ServicesApi, FilesApi, NetworksApi, AttachmentsApi, EventsApi
):
    """The whole control API."""
