"""Carries a parsed template out. Pure: the only state is the text so far, the variables, and what is left of the bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hivelet.kit.gotemplate.functions import Functions, is_true
from hivelet.kit.gotemplate.problems import TemplateError
from hivelet.kit.gotemplate.syntax import (
    Block,
    Call,
    Command,
    Expression,
    Fields,
    Function,
    Jump,
    Literal,
    Node,
    Pipeline,
    Print,
    Text,
)
from hivelet.kit.gotemplate.values import go_text, kind_of

Variables = dict[str, list[Any]]
"""Names to cells: an assignment in an inner block is seen outside of it."""


class _Jumped(Exception):
    """`break` or `continue`, on its way to the `range` around it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


@dataclass(frozen=True, slots=True)
class _Scope:
    dot: Any
    variables: Variables

    def within(self, dot: Any) -> _Scope:
        """The scope inside a block: what is declared there ends with it."""
        return _Scope(dot, dict(self.variables))


@dataclass(slots=True, kw_only=True)
class Run:
    """One rendering."""

    functions: Functions
    defined: Mapping[str, list[Node]]
    strict: bool
    characters: int
    steps: int
    depth: int
    out: list[str] = field(default_factory=list)

    def render(self, nodes: Iterable[Node], data: Any) -> None:
        """Append the text of the nodes for this data."""
        self._render(nodes, _Scope(data, {"$": [data]}))

    def _render(self, nodes: Iterable[Node], scope: _Scope) -> None:
        for node in nodes:
            self._count_step()
            match node:
                case Text():
                    self._say(node.text)
                case Print():
                    value = self._evaluate(node.pipeline, scope)
                    if not node.pipeline.variables:
                        self._say(go_text(value))
                case Block(kind="range"):
                    self._range(node, scope)
                case Block():
                    self._block(node, scope)
                case Call():
                    self._call_template(node, scope)
                case Jump():
                    raise _Jumped(node.kind)

    def _say(self, text: str) -> None:
        self.characters -= len(text)
        if self.characters < 0:
            raise TemplateError("the template's text becomes too long")
        self.out.append(text)

    def _count_step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TemplateError("the template takes too many steps")

    def _block(self, block: Block, scope: _Scope) -> None:
        inner = scope.within(scope.dot)
        value = self._evaluate(block.pipeline, inner)
        if is_true(value):
            inner = _Scope(value, inner.variables) if block.kind == "with" else inner
            self._render(block.body, inner)
        else:
            self._render(block.otherwise, inner)

    def _range(self, block: Block, scope: _Scope) -> None:
        outer = scope.within(scope.dot)
        names = block.pipeline.variables
        items = self._evaluate(Pipeline(block.pipeline.commands), outer)
        pairs = _pairs(items)
        for key, value in pairs:
            inner = outer.within(value)
            given = (key, value) if len(names) == 2 else (value,)
            for name, one in zip(names, given, strict=False):
                _set(inner.variables, name, one, declares=block.pipeline.declares)
            try:
                self._render(block.body, inner)
            except _Jumped as jump:
                if jump.kind == "break":
                    break
        if not pairs:
            self._render(block.otherwise, outer)

    def _call_template(self, call: Call, scope: _Scope) -> None:
        nodes = self.defined.get(call.name)
        if nodes is None:
            raise TemplateError(
                f'the template calls the template "{call.name}", which is not defined'
            )
        if self.depth == 0:
            raise TemplateError("templates call each other without an end")
        dot = self._evaluate(call.pipeline, scope) if call.pipeline is not None else None
        self.depth -= 1
        self.render(nodes, dot)
        self.depth += 1

    def _evaluate(self, expression: Expression, scope: _Scope) -> Any:
        match expression:
            case Literal():
                return expression.value
            case Fields():
                return self._fields(expression, scope)
            case Function():
                return self._command(Command(expression, ()), scope, ())
            case Pipeline():
                return self._pipeline(expression, scope)

    def _pipeline(self, pipeline: Pipeline, scope: _Scope) -> Any:
        self._count_step()
        value: Any = None
        piped: tuple[Any, ...] = ()
        for command in pipeline.commands:
            value = self._command(command, scope, piped)
            piped = (value,)
        for name in pipeline.variables:
            _set(scope.variables, name, value, declares=pipeline.declares)
        return value

    def _command(self, command: Command, scope: _Scope, piped: tuple[Any, ...]) -> Any:
        first = command.first
        if isinstance(first, Function):
            if first.name in ("and", "or"):
                return self._shortcut(first.name, command.arguments, scope, piped)
            function = self.functions.get(first.name)
            if function is None:
                raise TemplateError(f'the template calls "{first.name}", which is not known')
            return self._call(first.name, function, command.arguments, scope, piped)
        value = self._evaluate(first, scope)
        if callable(value):
            return self._call(_name_of(first), value, command.arguments, scope, piped)
        if command.arguments or piped:
            raise TemplateError(
                f'"{_name_of(first)}" in the template is not a function and takes nothing'
            )
        return value

    def _call(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: tuple[Expression, ...],
        scope: _Scope,
        piped: tuple[Any, ...],
    ) -> Any:
        values = [*(self._evaluate(argument, scope) for argument in arguments), *piped]
        try:
            value = function(*values)
        except TemplateError as error:
            raise TemplateError(f"{name} in the template fails: {error.message}") from error
        except (TypeError, AttributeError) as error:
            kinds = ", ".join(map(kind_of, values)) or "nothing"
            raise TemplateError(f"{name} in the template does not take {kinds}") from error
        except (ValueError, LookupError) as error:
            raise TemplateError(f"{name} in the template fails: {error}") from error
        if isinstance(value, str) and len(value) > self.characters:
            raise TemplateError("the template's text becomes too long")
        return value

    def _shortcut(
        self, name: str, arguments: tuple[Expression, ...], scope: _Scope, piped: tuple[Any, ...]
    ) -> Any:
        if not arguments and not piped:
            raise TemplateError(f"{name} in the template takes at least one value")
        value: Any = None
        for argument in arguments:
            value = self._evaluate(argument, scope)
            if is_true(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    def _fields(self, fields: Fields, scope: _Scope) -> Any:
        match fields.base:
            case None:
                value = scope.dot
            case str() as name:
                if name not in scope.variables:
                    raise TemplateError(f"the template knows no variable {name}")
                value = scope.variables[name][0]
            case base:
                value = self._evaluate(base, scope)
        for name in fields.names:
            value = self._field(value, name)
        return value

    def _field(self, value: Any, name: str) -> Any:
        if isinstance(value, Mapping):
            key = _find_key(value, name, strict=self.strict)
            if key is None:
                hint = ", ".join(sorted(map(str, value)))
                raise TemplateError(
                    f'there is no field "{name}" for the template; there are: {hint or "none"}'
                )
            return value[key]
        if value is None and not self.strict:
            return None
        raise TemplateError(
            f'the template asks for the field "{name}" of something that has no fields'
        )


def _find_key(value: Mapping[str, Any], name: str, *, strict: bool) -> str | None:
    """The key that a name means: Docker's templates say `.ID` where its JSON says `Id`."""
    if name in value:
        return name
    return next((key for key in value if not strict and key.lower() == name.lower()), None)


def _pairs(items: Any) -> list[tuple[Any, Any]]:
    if isinstance(items, Mapping):
        return sorted(items.items())
    if items is None or isinstance(items, list | tuple):
        return list(enumerate(items or []))
    raise TemplateError(f"range can't iterate over {go_text(items)[:100]}")


def _set(variables: Variables, name: str, value: Any, *, declares: bool) -> None:
    if declares:
        variables[name] = [value]
    elif name in variables:
        variables[name][0] = value
    else:
        raise TemplateError(f"the template knows no variable {name}")


def _name_of(expression: Expression) -> str:
    match expression:
        case Fields(base=str() | None as base, names=names):
            return f"{base or ''}.{'.'.join(names)}"
        case Literal(value=value):
            return go_text(value)[:100]
        case _:
            return "(…)"
