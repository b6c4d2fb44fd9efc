"""Random requests, operation by operation, and what of their answers is not as the description says."""

from __future__ import annotations

import http.client
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fuzzed.client import BOUND, Answered, Client
from fuzzed.names import Names
from hivelet.api.openapi.document import describe
from hivelet.api.routes import ALL_ROUTES

Operation = Any
"""One of schemathesis's; their type has five parameters."""

_CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]

_AS_DOCKER = re.compile(
    "rpc error: code = Unknown desc = update out of sequence|Container [0-9a-f]{64} is not paused"
)
"""What Docker answers with 500 as well (`tests/conformance/recorded`), and its clients look for."""


@dataclass
class Findings:
    """How many requests were answered, and what was wrong."""

    requests: int = 0
    longest: float = 0
    wrong: list[str] = field(default_factory=list)


def operations() -> list[Operation]:
    """All that the API describes of itself."""
    document = json.loads(json.dumps(describe(ALL_ROUTES)))
    schema = schemathesis.openapi.from_dict(document)
    return [result.ok() for result in schema.get_all_operations()]


def fuzz(
    chosen: Iterable[Operation], client: Client, names: Names, *, examples: int, start: int
) -> Findings:
    """Send so many valid requests to each operation, and so many that break its description."""
    findings = Findings()
    for operation in chosen:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not _takes_anything(operation):
                continue
            _fuzz_one(operation, mode, Sender(client, names, findings, start), examples)
    return findings


def _takes_anything(operation: Operation) -> bool:
    return bool(operation.body or operation.query)


def _fuzz_one(operation: Operation, mode: GenerationMode, sender: Sender, examples: int) -> None:
    @seed(sender.start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        sender.send(case)

    try:
        send()
    except Unsatisfiable:
        # There is no wrong value of a header that may be any text.
        assert mode is GenerationMode.NEGATIVE


class Sender:
    """Sends cases and notes what is wrong with their answers; which object a case names is drawn by its number."""

    def __init__(self, client: Client, names: Names, findings: Findings, start: int) -> None:
        self.start = start
        self._client = client
        self._names = names
        self._findings = findings

    def send(self, case: Case) -> None:
        """Send one."""
        found = self._findings
        found.requests += 1
        self._names.name(case, random.Random(self.start + found.requests))
        try:
            answered = self._client.send(case)
        except (OSError, http.client.HTTPException) as error:
            found.wrong.append(f"no answer ({error!r}): {case.as_curl_command()[:1500]}")
            return
        found.longest = max(found.longest, answered.took)
        if wrong := self._wrong_with(case, answered):
            text = answered.response.content[:500].decode(errors="replace")
            found.wrong.append(f"{wrong}: {text}\n    {case.as_curl_command()[:1500]}")

    def _wrong_with(self, case: Case, answered: Answered) -> str:
        response = answered.response
        try:
            data = json.loads(response.content)
        except ValueError:
            data = None
        if response.status_code < 300:
            self._names.learn(case, data)
        if response.status_code == 500 and not (
            isinstance(data, dict) and _AS_DOCKER.fullmatch(str(data.get("message")))
        ):
            return "500"
        checks = _CHECKS if answered.ended and response.status_code != 101 else _CHECKS[:1]
        if isinstance(data, type(None)) and response.content and response.status_code < 300:
            checks = _CHECKS[:2]  # several documents, one after the other, as in `docker pull`
        try:
            case.validate_response(response, checks=checks)
        except BaseExceptionGroup as group:
            return "; ".join(str(error)[:300] for error in group.exceptions)
        except AssertionError as error:
            return str(error)[:300]
        return f"it took {answered.took:.1f} s" if answered.took > BOUND else ""
