"""Makes nodes of a template's text. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from hivelet.kit.gotemplate.lexer import Token, split_actions, tokenise, unquote
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

_DEPTH = 100
"""How deep brackets and blocks may stand in each other: more is nobody's template."""

_CONSTANTS = {"true": True, "false": False, "nil": None}
_BLOCKS = ("if", "with", "range")


@dataclass(slots=True)
class _Open:
    """A block that waits for its `end`; `chained` for one that an `else if` has opened inside of another."""

    word: str
    nodes: list[Node]
    block: Block | None = None
    chained: bool = False
    name: str = ""


@dataclass(slots=True)
class Parsed:
    """The nodes of the template itself and of those it defines."""

    nodes: list[Node] = field(default_factory=list)
    defined: dict[str, list[Node]] = field(default_factory=dict)


def parse(source: str) -> Parsed:
    """Read a template.

    Raises:
        TemplateError: it is none.
    """
    parsed = Parsed()
    stack = [_Open("", parsed.nodes)]
    for is_action, text in split_actions(source):
        if not is_action:
            if text:
                stack[-1].nodes.append(Text(text))
            continue
        _take(stack, parsed, tokenise(text))
        if len(stack) > _DEPTH:
            raise TemplateError(f"the template has more than {_DEPTH} blocks in each other")
    if len(stack) > 1:
        raise TemplateError(f"an `end` is missing in the template, for `{stack[-1].word}`")
    return parsed


def _take(stack: list[_Open], parsed: Parsed, tokens: list[Token]) -> None:
    word = tokens[0].text if tokens and tokens[0].kind == "word" else ""
    if word in _BLOCKS:
        _open(stack, word, tokens[1:], chained=False)
    elif word in ("define", "block"):
        _define(stack, parsed, word, tokens[1:])
    elif word == "template":
        stack[-1].nodes.append(_call(tokens[1:]))
    elif word in ("break", "continue"):
        _jump(stack, word, tokens)
    elif word == "else":
        _else(stack, tokens[1:])
    elif word == "end":
        _end(stack, parsed, tokens)
    else:
        stack[-1].nodes.append(Print(_Reader(tokens).whole()))


def _open(stack: list[_Open], word: str, tokens: list[Token], *, chained: bool) -> None:
    block = Block(word, _Reader(tokens).whole(in_range=word == "range"))
    stack[-1].nodes.append(block)
    stack.append(_Open(word, block.body, block, chained))


def _else(stack: list[_Open], tokens: list[Token]) -> None:
    block = stack[-1].block
    if block is None or stack[-1].nodes is block.otherwise:
        raise TemplateError("there is an `else` too many in the template")
    stack[-1].nodes = block.otherwise
    if tokens:
        word = tokens[0].text
        if word not in ("if", "with") or word != block.kind:
            raise TemplateError(f"`else {word}` does not fit `{block.kind}` in the template")
        _open(stack, word, tokens[1:], chained=True)


def _end(stack: list[_Open], parsed: Parsed, tokens: list[Token]) -> None:
    if len(tokens) > 1:
        raise TemplateError(f"`end` takes nothing in the template: {tokens[1].text}")
    while True:
        if len(stack) == 1:
            raise TemplateError("there is an `end` too many in the template")
        closed = stack.pop()
        if closed.word in ("define", "block"):
            parsed.defined[closed.name] = closed.nodes
        if not closed.chained:
            return


def _define(stack: list[_Open], parsed: Parsed, word: str, tokens: list[Token]) -> None:
    if word == "define" and len(stack) > 1:
        raise TemplateError("a `define` stands inside of another block of the template")
    call = _call(tokens)
    if word == "define" and call.pipeline is not None:
        raise TemplateError("`define` takes a name alone in the template")
    if word == "block":
        stack[-1].nodes.append(call)
    stack.append(_Open(word, [], name=call.name))


def _call(tokens: list[Token]) -> Call:
    if not tokens or tokens[0].kind != "string":
        raise TemplateError("a name in quotes is missing behind `template` or `define`")
    rest = tokens[1:]
    return Call(unquote(tokens[0].text), _Reader(rest).whole() if rest else None)


def _jump(stack: list[_Open], word: str, tokens: list[Token]) -> None:
    if len(tokens) > 1 or not any(opened.word == "range" for opened in stack):
        raise TemplateError(f"`{word}` stands outside of a `range` in the template")
    stack[-1].nodes.append(Jump(word))


class _Reader:
    """Reads one action's tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self, *, in_range: bool = False) -> Pipeline:
        """All tokens as one pipeline, which may set variables."""
        variables, declares = self._variables(2 if in_range else 1)
        pipeline = self._pipeline()
        if self._next() is not None:
            raise TemplateError(
                f"the template does not go on with {self._tokens[self._place].text}"
            )
        return Pipeline(pipeline.commands, variables, declares)

    def _next(self) -> Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _at(self, *marks: str) -> bool:
        token = self._next()
        return token is not None and token.kind == "mark" and token.text in marks

    def _variables(self, most: int) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        while (
            (token := self._next()) is not None and token.kind == "variable" and len(names) < most
        ):
            names.append(token.text)
            self._place += 1
            if self._at(":=", "="):
                declares = self._tokens[self._place].text == ":="
                self._place += 1
                return tuple(names), declares
            if not self._at(","):
                break
            self._place += 1
        self._place = 0
        return (), False

    def _pipeline(self) -> Pipeline:
        commands = [self._command()]
        while self._at("|"):
            self._place += 1
            commands.append(self._command())
            if not isinstance(commands[-1].first, Function | Fields):
                raise TemplateError("what stands behind | in the template is not a function")
        return Pipeline(tuple(commands))

    def _command(self) -> Command:
        operands: list[Expression] = []
        while self._next() is not None and not self._at("|", ")"):
            operands.append(self._operand())
        if not operands:
            raise TemplateError("a command is missing in the template")
        return Command(operands[0], tuple(operands[1:]))

    def _operand(self) -> Expression:
        token = self._tokens[self._place]
        self._place += 1
        match token.kind:
            case "string":
                return self._with_fields(Literal(unquote(token.text)))
            case "char":
                return Literal(ord(unquote(token.text)))
            case "number":
                return Literal(_number(token.text))
            case "field":
                return Fields(None, (token.text[1:], *self._field_names()))
            case "variable":
                return Fields(token.text, self._field_names())
            case "word" if token.text in _CONSTANTS:
                return Literal(_CONSTANTS[token.text])
            case "word":
                return Function(token.text)
        if token.text == ".":
            return Fields(None, ())
        if token.text == "(":
            return self._with_fields(self._brackets())
        raise TemplateError(f"{token.text} stands where the template needs a value")

    def _brackets(self) -> Pipeline:
        self._depth += 1
        if self._depth > _DEPTH:
            raise TemplateError(f"the template has more than {_DEPTH} brackets in each other")
        inner = self._pipeline()
        if not self._at(")"):
            raise TemplateError("a closing bracket is missing in the template")
        self._place += 1
        self._depth -= 1
        return inner

    def _with_fields(self, base: Expression) -> Expression:
        names = self._field_names()
        return Fields(base, names) if names else base

    def _field_names(self) -> tuple[str, ...]:
        names: list[str] = []
        while (token := self._next()) is not None and token.kind == "field" and token.glued:
            names.append(token.text[1:])
            self._place += 1
        return tuple(names)


def _number(text: str) -> int | float:
    try:
        if text.lstrip("+-")[:2].lower() in ("0x", "0b", "0o"):
            return int(text, 0)
        if any(character in text for character in ".eE"):
            return float(text)
        digits = text.replace("_", "")
        octal = digits.lstrip("+-")
        if len(digits) > 20:
            raise ValueError(text)
        return int(digits, 8) if len(octal) > 1 and octal[0] == "0" else int(digits)
    except ValueError as error:
        raise TemplateError(f"{text[:40]} is no number in the template") from error
