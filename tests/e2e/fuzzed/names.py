"""Which objects random requests name: those of the test, those that requests made, and nonsense.

Never the objects of the service beside them: its ids are known to nobody, and an abbreviation of one is not drawn.
"""

from __future__ import annotations

import random
import re
from typing import Any

from schemathesis import Case

_ABBREVIATION = re.compile(r"[0-9a-z]{0,64}")


class Names:
    """Names by the first segment of the paths they belong to."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self._known = {kind: list(names) for kind, names in known.items()}
        self._made: dict[str, list[str]] = {}

    def learn(self, case: Case, answer: Any) -> None:
        """Remember what a request made."""
        identity = answer.get("Id") or answer.get("ID") if isinstance(answer, dict) else None
        if isinstance(identity, str) and identity:
            kind = "exec" if case.path.endswith("/exec") else case.path.split("/")[1]
            self._made.setdefault(kind, []).append(identity)

    def name(self, case: Case, choice: random.Random) -> None:
        """Let the case name an object: mostly one that is there, else what it has, made harmless."""
        if "ref" in (case.path_parameters or {}):
            kind = case.path.split("/")[1]
            given = str(case.path_parameters["ref"])
            case.path_parameters["ref"] = self._chosen(kind, given, choice)
        if "version" in (case.query or {}) and choice.random() < 0.5:
            case.query["version"] = str(choice.randrange(200))
        if isinstance(case.body, dict) and "Container" in case.body and choice.random() < 0.7:
            case.body["Container"] = self._chosen("containers", "", choice)
        if isinstance(case.body, dict) and case.path == "/containers/create":
            case.body["Image"] = choice.choice(["bb:latest", "none", case.body.get("Image")])

    def _chosen(self, kind: str, given: str, choice: random.Random) -> str:
        there = [*self._known.get(kind, ()), *self._made.get(kind, ())[-3:]]
        if there and choice.random() < 0.7:
            return choice.choice(there)
        return f"{given}-" if _ABBREVIATION.fullmatch(given) else given
