"""A parsed template, and the bounds of what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hivelet.kit.gotemplate.execute import Run
from hivelet.kit.gotemplate.functions import GO_FUNCTIONS, Functions
from hivelet.kit.gotemplate.parser import parse
from hivelet.kit.gotemplate.problems import TemplateError

_DEEPEST = 100
"""How deep `template` may call templates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a template of others' may use: characters of its result, and steps on the way."""

    characters: int = 1 << 20
    steps: int = 100_000


NO_LIMITS = Limits(characters=1 << 40, steps=1 << 40)


class Template:
    """A parsed template. `strict` field names are those of the data; others are found whatever their case."""

    def __init__(
        self,
        source: str,
        functions: Functions | None = None,
        *,
        strict: bool = False,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._parsed = parse(source)
        self._functions = {**GO_FUNCTIONS, **(functions or {})}
        self._strict = strict
        self._limits = limits

    def render(self, data: Any) -> str:
        """The text for `data`.

        Raises:
            TemplateError: it asks for a field that `data` does not have, calls what is not known, or asks for too much.
        """
        run = Run(
            functions=self._functions,
            defined=self._parsed.defined,
            strict=self._strict,
            characters=self._limits.characters,
            steps=self._limits.steps,
            depth=_DEEPEST,
        )
        try:
            run.render(self._parsed.nodes, data)
        except (RecursionError, OverflowError, MemoryError) as error:
            raise TemplateError(f"the template asks for too much: {error}") from error
        return "".join(run.out)
