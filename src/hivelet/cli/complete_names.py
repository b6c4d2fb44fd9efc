"""Names for a shell's TAB: services, stacks, nodes and all else that the daemon knows, where a command takes one.

What an argument takes is read off its place holder (`SERVICE...`), what an option takes off its name (`--network`). Quick, and
silent: where the daemon is away, slow, or asks for a password, there is nothing to offer and nothing is said.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from click.shell_completion import CompletionItem

from hivelet.cli.session import Session
from hivelet.client.contexts import context_names
from hivelet.client.engine import Engine
from hivelet.errors import HiveletError
from hivelet.objects.service import STACK_LABEL

_PATIENCE = 1.5
"""Seconds that a person at a prompt may be made to wait."""

Finder = Callable[[Engine], list[str]]


def _service_names(engine: Engine) -> list[str]:
    return [service["Spec"]["Name"] for service in engine.services()]


def _stacks(engine: Engine) -> list[str]:
    labels = [service["Spec"].get("Labels") or {} for service in engine.services()]
    return [label[STACK_LABEL] for label in labels if STACK_LABEL in label]


def _slots(engine: Engine) -> list[str]:
    names = {service["ID"]: service["Spec"]["Name"] for service in engine.services()}
    tasks = engine.tasks({"desired-state": ["running"]})
    slots = [f"{names.get(t['ServiceID'])}.{t['Slot']}" for t in tasks if t.get("Slot")]
    return [*names.values(), *slots]


def _nodes(engine: Engine) -> list[str]:
    return [
        "self",
        *((node.get("Description") or {}).get("Hostname", "") for node in engine.nodes()),
    ]


def _containers(engine: Engine) -> list[str]:
    return [
        name.lstrip("/")
        for each in engine.containers(stopped=True)
        for name in each.get("Names") or []
    ]


def _images(engine: Engine) -> list[str]:
    tags = [tag for image in engine.images() for tag in image.get("RepoTags") or []]
    return [tag for tag in tags if tag != "<none>:<none>"]


def _file_objects(kind: str) -> Finder:
    return lambda engine: [entry["Spec"]["Name"] for entry in engine.file_objects(kind)]


FINDERS: dict[str, Finder] = {
    "SERVICE": _service_names,
    "SERVICE.SLOT": _slots,
    "SERVICE=": lambda engine: [f"{name}=" for name in _service_names(engine)],
    "STACK": _stacks,
    "NODE": _nodes,
    "NETWORK": lambda engine: [network["Name"] for network in engine.networks()],
    "SECRET": _file_objects("secrets"),
    "CONFIG": _file_objects("configs"),
    "VOLUME": lambda engine: [volume["Name"] for volume in engine.volumes()],
    "CONTAINER": _containers,
    "IMAGE": _images,
}
_OPTIONS = {"network": "NETWORK", "secret": "SECRET", "config": "CONFIG", "image": "IMAGE"}


def kind_of(parameter: click.Parameter) -> str:
    """What a parameter takes, as a key of FINDERS; "" where it takes no name of the daemon's."""
    if isinstance(parameter, click.Option):
        word = max(parameter.opts, key=len).lstrip("-")
        return _OPTIONS.get(re.sub(r"-(add|rm)$", "", word), "")
    shown = (parameter.metavar or parameter.name or "").upper()
    if "[.SLOT]" in shown:
        return "SERVICE.SLOT"
    if shown.startswith("SERVICE="):
        return "SERVICE="
    found = re.search(r"[A-Z]+", shown)
    return found[0] if found is not None and found[0] in FINDERS else ""


def add_completions(command: click.Command) -> None:
    """Let the parameters of the command, and of all below it, be completed."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            add_completions(inner)
    for parameter in command.params:
        if kind_of(parameter):
            parameter._custom_shell_complete = complete  # noqa: SLF001 - what click's own argument sets
        elif parameter.name == "context":
            parameter._custom_shell_complete = complete_context  # noqa: SLF001


def complete(
    context: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The names that begin as what is typed, and are not typed already."""
    given = context.params.get(parameter.name or "") or ()
    taken = set(given) if isinstance(given, tuple | list) else set()
    found = names(session_of(context), FINDERS[kind_of(parameter)])
    fitting = sorted({name for name in found if name.startswith(begun)} - taken - {""})
    return [CompletionItem(name) for name in fitting]


def complete_context(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Docker's contexts."""
    environment = session_of(context).environment
    return [CompletionItem(n) for n in context_names(environment) if n.startswith(begun)]


def session_of(context: click.Context) -> Session:
    """The session, with what is typed of the daemon: no command has run that could have told it."""
    session = context.find_object(Session) or Session()
    typed: dict[str, Any] = dict(context.find_root().params)
    session.host = typed.pop("host", None) or session.host
    session.daemon = typed
    session.unattended = True
    return session


def names(session: Session, find: Finder) -> list[str]:
    """What `find` finds at the daemon; nothing where that takes long, or fails."""
    try:
        with _limited(_PATIENCE):
            return find(session.engine)
    except (HiveletError, OSError):
        return []


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after so many seconds."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
