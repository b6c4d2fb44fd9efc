"""What passes between the dispatcher and an agent: assignments one way, task statuses the other."""

from __future__ import annotations

from hivelet.objects.common import ConfigId, NetworkId, SecretId, ServiceId, Struct, TaskId
from hivelet.objects.endpoint import ServiceEntry
from hivelet.objects.network import Network
from hivelet.objects.node import Node
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import Task, TaskStatus


class Assignments(Struct, frozen=True, kw_only=True):
    """What a node is to do and to know: all of it (`complete`, always the first), or what changed since the last one.

    A task stays assigned until it is forgotten, so that its stopped container can be looked at; its removal from the set is
    the order to remove what is left of it. `node` is set where it changed.
    """

    complete: bool = False
    node: Node | None = None
    tasks: list[Task] = []
    removed_tasks: list[TaskId] = []
    networks: list[Network] = []
    removed_networks: list[NetworkId] = []
    services: list[ServiceEntry] = []
    removed_services: list[ServiceId] = []
    secrets: list[Secret] = []
    removed_secrets: list[SecretId] = []
    configs: list[Config] = []
    removed_configs: list[ConfigId] = []

    @property
    def empty(self) -> bool:
        """Whether an incremental one says nothing."""
        return not self.complete and self == _NOTHING


_NOTHING = Assignments()


class StatusUpdate(Struct, frozen=True, kw_only=True):
    """The newest status of a task, from its agent."""

    task_id: TaskId
    status: TaskStatus


class SessionInfo(Struct, frozen=True, kw_only=True):
    """A session that was begun; `period` is how often (seconds) a heartbeat is due."""

    session_id: str
    period: float
