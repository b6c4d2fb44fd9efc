"""Every message that the loader can give is shown whole by a test: the sources are searched for messages, the tables for theirs.

A message is any text in an error, a problem or a hint of `hivelet.compose`; its variable parts may be anything.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import hivelet.compose
from hivelet.kit import durations

sys.path.insert(0, str(Path(__file__).parent))
from complaints import every_text

SOURCES = [*sorted(Path(hivelet.compose.__file__).parent.glob("*.py")), Path(durations.__file__)]
RAISED = {"ComposeError", "ValueError", "_Malformed", "_error", "_warn", "Problem", "of"}


def pattern(node: ast.expr) -> Iterator[str]:
    """The regular expressions of a message; none for one that is passed on."""
    match node:
        case ast.Constant(value=str(text)) if text:
            yield re.escape(text)
        case ast.JoinedStr(values=values):
            pieces = [
                re.escape(str(v.value)) if isinstance(v, ast.Constant) else "(?s:.*)"
                for v in values
            ]
            if any(
                isinstance(v, ast.Constant) and re.search(r"\w{2}", str(v.value)) for v in values
            ):
                yield "".join(pieces)
        case ast.IfExp(body=body, orelse=other):
            yield from pattern(body)
            yield from pattern(other)
        case ast.BoolOp(values=values):
            for value in values:
                yield from pattern(value)


def messages(path: Path) -> Iterator[tuple[str, int, str]]:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            if name in RAISED:
                found += [
                    *node.args,
                    *(k.value for k in node.keywords if k.arg in {"message", "hint"}),
                ]
        elif isinstance(node, ast.Assign):
            targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
            found += [node.value] if targets & {"message", "hint", "lines", "problem"} else []
        elif isinstance(node, ast.Return) and node.value is not None and path.name == "validate.py":
            found += [node.value]
        for expression in found:
            for text in pattern(expression):
                if re.search(r"\w\\? \w|\w{4}", text):
                    yield path.name, node.lineno, text


def test_every_message_is_shown_by_a_test() -> None:
    expected = "\n".join(every_text())
    unshown = [
        f"{name}:{line}: {text}"
        for path in SOURCES
        for name, line, text in messages(path)
        if not re.search(text, expected)
    ]
    assert unshown == []


def test_messages_are_found() -> None:
    found = {name for path in SOURCES for name, _, _ in messages(path)}
    assert found >= {
        "files.py",
        "validate.py",
        "ports.py",
        "project.py",
        "yaml_reader.py",
        "references.py",
    }
