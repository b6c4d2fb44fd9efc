"""The shape of the sources: sizes, opening pages, and names that say what is in them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600
# Tests are read one at a time, from top to bottom; a long table of them does less harm.
TEST_LIMIT = 1000
SOURCES = sorted((ROOT / "src").rglob("*.py"))
BENCHES = sorted((ROOT / "bench").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# A module called so would be a drawer for anything.
DRAWERS = {"util", "utils", "helper", "helpers", "misc", "common_utils", "shared", "lib", "stuff"}


def name(path: Path) -> str:
    """How a path is written in a test's id."""
    return str(path.relative_to(ROOT))


def over_long(paths: list[Path], limit: int) -> dict[str, int]:
    """Modules above the limit, with their length; one whose first line gives a reason may be longer."""
    found = {}
    for path in paths:
        lines = path.read_text().splitlines()
        if len(lines) > limit and not re.match(r"# long: \w", lines[0]):
            found[name(path)] = len(lines)
    return found


def test_no_module_is_over_long() -> None:
    assert over_long(SOURCES + BENCHES, LIMIT) == {}
    assert over_long(TESTS, TEST_LIMIT) == {}


def test_every_module_opens_with_a_page() -> None:
    """What it does or decides, what it may write, what always holds: at least a sentence of it.

    Unit tests mirror the sources, so their modules need not say again what they are about.
    """
    paths = (
        SOURCES
        + BENCHES
        + [
            path
            for path in TESTS
            if path.parts[len(ROOT.parts) + 1] in ("e2e", "conformance", "repo")
        ]
    )
    assert [
        name(path)
        for path in paths
        if len(ast.get_docstring(ast.parse(path.read_text())) or "") < 10
    ] == []


def test_no_module_is_a_drawer() -> None:
    assert [name(path) for path in SOURCES if path.stem in DRAWERS] == []


def test_packages_have_more_than_one_module() -> None:
    """A package of one file is a module."""
    lonely = []
    for path in SOURCES:
        if path.name == "__init__.py":
            others = [
                entry
                for entry in path.parent.iterdir()
                if entry.name not in ("__init__.py", "__pycache__")
            ]
            if not others:
                lonely.append(name(path))
    assert lonely == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK"])
def test_open_ends_name_their_issue(word: str) -> None:
    pattern = re.compile(rf"#\s*{word}(?!\(#\d+\))")
    found = [
        f"{name(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def broad_handlers(path: Path) -> list[int]:
    """Lines where any exception at all is caught and kept; a handler that tidies up and raises it again hides nothing."""
    handlers = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
    ]
    broad = {"Exception", "BaseException"}
    return [
        node.lineno
        for node in handlers
        if (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in broad))
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    ]


def test_broad_handlers_are_in_one_place() -> None:
    """`except Exception` hides what nobody thought of; only kit/supervise.py may, and it reports it."""
    found = {name(path): broad_handlers(path) for path in SOURCES if path.name != "supervise.py"}
    assert {path: lines for path, lines in found.items() if lines} == {}
