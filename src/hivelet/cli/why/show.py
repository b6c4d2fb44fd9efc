"""An explanation as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from hivelet.cli.why.explain import Cause, Explanation

Json: TypeAlias = dict[str, Any]

_TASKS = 6


def explanation_lines(explanation: Explanation, logs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The explanation, line by line; `logs` has the last lines of tasks by id."""
    name, running, wanted = explanation.service, explanation.running, explanation.wanted
    if explanation.well:
        yield f"{name}: {running} of {wanted} tasks run; nothing stands in its way."
        return
    yield f"{name}: {running} of {wanted} tasks run."
    for cause in explanation.causes:
        yield f"  * {cause.what}"
        if cause.tasks:
            more = f" and {len(cause.tasks) - _TASKS} more" if len(cause.tasks) > _TASKS else ""
            yield f"      {', '.join(cause.tasks[:_TASKS])}{more}"
        for line in logs.get(cause.log_of, ()):
            yield f"      | {line}"
        for line in cause.do:
            yield f"      -> {line}"


def explanation_json(explanation: Explanation, logs: Mapping[str, Sequence[str]]) -> Json:
    """The explanation for a program."""
    return {
        "Service": explanation.service,
        "Running": explanation.running,
        "Wanted": explanation.wanted,
        "Well": explanation.well,
        "Causes": [_cause_json(cause, logs) for cause in explanation.causes],
    }


def _cause_json(cause: Cause, logs: Mapping[str, Sequence[str]]) -> Json:
    answer: Json = {
        "Kind": cause.kind,
        "What": cause.what,
        "Tasks": list(cause.tasks),
        "Do": list(cause.do),
    }
    return answer | ({"Log": list(logs[cause.log_of])} if logs.get(cause.log_of) else {})
