"""Taking a stack away: services, secrets, configs, then networks; a network that tasks still leave is tried again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from hivelet.cli.session import Session, complain, say, warn
from hivelet.errors import HiveletError, NotFound
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]

_ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "orphaned", "remove"})
_PAUSE = 0.1


def stack_filter(stack: str) -> dict[str, list[str]]:
    """The filter that finds what belongs to a stack."""
    return {"label": [f"{STACK_LABEL}={stack}"]}


def remove_stack(session: Session, stack: str, *, detach: bool, timeout: float) -> bool:
    """Remove everything that belongs to a stack, and wait until its tasks are gone; False where something is left."""
    engine, owned = session.engine, stack_filter(stack)
    services = sorted(engine.services(owned), key=lambda service: str(service["Spec"]["Name"]))
    objects = {kind: engine.file_objects(kind, owned) for kind in ("secrets", "configs")}
    networks = engine.networks(owned)
    if not (services or networks or any(objects.values())):
        warn(f"Nothing found in stack: {stack}")
        return True
    done = True
    for service in services:
        done &= _try_remove(
            "service", service["Spec"]["Name"], partial(engine.remove_service, service["ID"])
        )
    for kind, entries in objects.items():
        for entry in entries:
            noun, name = kind.removesuffix("s"), entry["Spec"]["Name"]
            done &= _try_remove(noun, name, partial(engine.remove_file_object, kind, entry["ID"]))
    deadline = session.monotonic() + (0.0 if detach else timeout)
    if not detach and services:
        done &= _wait_until_gone(session, stack, deadline)
    for network in networks:
        done &= _remove_network(session, network, deadline)
    return done


def _try_remove(noun: str, name: str, remove: Callable[[], object]) -> bool:
    say(f"Removing {noun} {name}")
    try:
        remove()
    except NotFound:
        return True
    except HiveletError as error:
        complain(f"failed to remove {noun} {name}: {error.message}")
        return False
    return True


def _wait_until_gone(session: Session, stack: str, deadline: float) -> bool:
    while True:
        # By label: the services are gone already, and a filter by service asks for one that exists.
        tasks = session.engine.tasks(stack_filter(stack))
        left = [task for task in tasks if task["Status"]["State"] not in _ENDED]
        if not left:
            return True
        if session.monotonic() >= deadline:
            complain(f"{len(left)} tasks are still stopping; `hivelet ps` shows their containers")
            return False
        session.sleep(_PAUSE)


def _remove_network(session: Session, network: Json, deadline: float) -> bool:
    say(f"Removing network {network['Name']}")
    while True:
        try:
            session.engine.remove_network(network["Id"])
        except NotFound:
            return True
        except HiveletError as error:
            if session.monotonic() >= deadline:
                complain(f"failed to remove network {network['Name']}: {error.message}")
                return False
            session.sleep(_PAUSE)
        else:
            return True
