"""Doing a plan, step by step and nothing else: every request is one object, so wherever it ends the state is consistent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hivelet.cli.deploy.plan import Plan, Step
from hivelet.cli.deploy.unused import used_by
from hivelet.cli.deploy.versions import FileKind, placeholder
from hivelet.cli.interruption import Interruption
from hivelet.cli.session import Session, say, warn
from hivelet.errors import Conflict, Forbidden, HiveletError, InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]

_COLLECTIONS = {"secret": "secrets", "config": "configs"}
_PAUSE = 0.2
NETWORK_PATIENCE = 15.0


class Application:
    """One plan on its way; `done` are the steps that have been carried out, `services` the names of the stack's services by id."""

    def __init__(self, session: Session, plan: Plan, registry_auth: Mapping[str, str]) -> None:
        self._session = session
        self._plan = plan
        self._auth = registry_auth
        self._ids: dict[str, str] = {}
        self.done: list[Step] = []
        self.services: dict[str, str] = {}
        self.settled: set[str] = set()
        """Ids of services that were not touched."""

    def run(self, interruption: Interruption) -> None:
        """Everything that comes before the services have converged.

        Raises:
            KeyboardInterrupt: the user wants no more; the step at hand has been finished.
        """
        for step in self._plan.steps:
            if step.last:
                continue
            with interruption.held():
                self._do(step)
                if step.action != "keep":
                    self.done.append(step)

    def finish(
        self, interruption: Interruption, *, patience: float = NETWORK_PATIENCE
    ) -> list[str]:
        """What comes last: removing what nothing uses any more; the answer tells of what could not be removed yet."""
        left: list[str] = []
        used = self._used() if any(step.last for step in self._plan.steps) else set()
        for step in self._plan.steps:
            if not step.last or {step.ref, step.name} & used:
                continue
            with interruption.held():
                problem = self._collect(step, patience)
                if problem:
                    left.append(problem)
                else:
                    self.done.append(step)
        return left

    def _do(self, step: Step) -> None:
        if step.kind == "service":
            self._service(step)
        elif step.action == "create":
            say(f"Creating {step.kind} {step.name}")
            self._create(step)
        elif step.action == "update":
            say(f"Updating {step.kind} {step.name} (id: {step.ref})")
            kind = _COLLECTIONS[step.kind]
            self._session.engine.update_file_object(kind, step.present, step.body)

    def _create(self, step: Step) -> None:
        engine = self._session.engine
        if step.kind == "network":
            engine.create_network(step.body)
            return
        kind: FileKind = "secrets" if step.kind == "secret" else "configs"
        self._ids[placeholder(kind, step.name)] = engine.create_file_object(kind, step.body)

    def _service(self, step: Step) -> None:
        engine = self._session.engine
        if step.action == "remove":
            say(f"Removing service {step.name}")
            _unless_gone(lambda: engine.remove_service(step.ref))
            return
        if step.action == "keep":
            self.services[step.ref] = step.name
            self.settled.add(step.ref)
            return
        body, auth = with_ids(step.body, self._ids), self._auth.get(step.image, "")
        if step.action == "create":
            say(f"Creating service {step.name}")
            answer = engine.create_service(body, registry_auth=auth)
            identifier, warnings = str(answer["ID"]), answer.get("Warnings") or []
        else:
            say(f"Updating service {step.name} (id: {step.ref})")
            identifier, warnings = step.ref, self._update(step, body, auth)
        for warning in warnings:
            warn(warning)
        self.services[identifier] = step.name

    def _update(self, step: Step, body: Json, auth: str) -> list[str]:
        try:
            return self._session.engine.update_service(step.present, body, registry_auth=auth)
        except HiveletError as error:
            if "out of sequence" in error.message:
                raise Conflict(
                    f"service {step.name} was changed by somebody else since the plan was made; deploy again"
                ) from error
            raise

    def _collect(self, step: Step, patience: float) -> str:
        engine = self._session.engine
        say(f"Removing {step.kind} {step.name}")
        try:
            if step.kind == "network":
                self._remove_network(step.ref, patience)
            else:
                _unless_gone(lambda: engine.remove_file_object(_COLLECTIONS[step.kind], step.ref))
        except HiveletError as error:
            return f"{step.kind} {step.name} could not be removed and goes with the next deploy: {error.message}"
        return ""

    def _remove_network(self, ref: str, patience: float) -> None:
        """Tasks that are on their way out may still be in it: that is waited for, within bounds."""
        deadline = self._session.monotonic() + patience
        while True:
            try:
                _unless_gone(lambda: self._session.engine.remove_network(ref))
                return
            except (Forbidden, Conflict, InvalidParameter):
                if self._session.monotonic() >= deadline:
                    raise
                self._session.sleep(_PAUSE)

    def _used(self) -> set[str]:
        """What services use at this moment, whoever has changed them meanwhile."""
        used: set[str] = set()
        for entry in self._session.engine.services():
            used |= used_by(entry["Spec"]) | used_by(entry.get("PreviousSpec") or {})
        return used


def with_ids(body: Any, ids: Mapping[str, str]) -> Any:
    """A spec in which ids stand where there were placeholders."""
    if isinstance(body, dict):
        return {key: with_ids(value, ids) for key, value in body.items()}
    if isinstance(body, list):
        return [with_ids(item, ids) for item in body]
    return ids.get(body, body) if isinstance(body, str) else body


def _unless_gone(remove: Callable[[], None]) -> None:
    try:
        remove()
    except NotFound:
        return
