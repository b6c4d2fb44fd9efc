"""`hivelet service why` and `hivelet stack why`: what explanations are made of, asked of the daemon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import click

from hivelet.cli.progress import last_log_lines
from hivelet.cli.render.services import natural_key
from hivelet.cli.session import Session, complain
from hivelet.cli.why.explain import Explanation, Situation, explain
from hivelet.cli.why.show import explanation_json, explanation_lines
from hivelet.errors import NotFound
from hivelet.objects.service import STACK_LABEL

Json: TypeAlias = dict[str, Any]


def tell_why(session: Session, refs: Sequence[str], *, form: str, stacks: bool) -> int:
    """Explain the services called `refs`; with `stacks`, the name of a stack means all of its services."""
    services = session.engine.services(status=True)
    nodes = session.engine.nodes()
    failed, found = 0, []
    for ref in refs:
        matching = find_services(services, ref, stacks=stacks)
        if not matching:
            what = "service or stack" if stacks else "service"
            complain(f"no such {what}: {ref}; `hivelet service ls` lists services")
            failed = 1
        found += matching
    told = [_told(session, service, nodes) for service in found]
    if form == "json":
        click.echo(json.dumps([explanation_json(*each) for each in told], indent=4))
    else:
        for each in told:
            for line in explanation_lines(*each):
                click.echo(line)
    return failed


def find_services(services: Sequence[Json], ref: str, *, stacks: bool) -> list[Json]:
    """The service of that name or id; else, where asked for, all services of the stack of that name."""
    named = [entry for entry in services if ref in {entry["Spec"]["Name"], entry["ID"]}]
    named = named or [entry for entry in services if len(ref) > 3 and entry["ID"].startswith(ref)]
    if named or not stacks:
        return named[:1]
    own = [s for s in services if (s["Spec"].get("Labels") or {}).get(STACK_LABEL) == ref]
    return sorted(own, key=lambda entry: natural_key(entry["Spec"]["Name"]))


def _told(
    session: Session, service: Json, nodes: Sequence[Json]
) -> tuple[Explanation, dict[str, list[str]]]:
    try:
        tasks = session.engine.tasks({"service": [service["ID"]]})
    except NotFound:
        tasks = []
    situation = Situation(service=service, tasks=tasks, nodes=nodes, now=session.now())
    explanation = explain(situation)
    wanted = [cause.log_of for cause in explanation.causes if cause.log_of]
    return explanation, {task: last_log_lines(session, task) for task in wanted}
