"""The pages against the code: generated tables, quoted command lines, quoted messages."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from functools import cache
from pathlib import Path
from types import ModuleType

import click
import pytest

from hivelet.api.routes import ALL_ROUTES
from hivelet.cli.main import hivelet
from hivelet.daemon.main import main as hiveletd

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def generator() -> ModuleType:
    """`docs/generate.py`, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- generated parts


def test_every_fault_has_its_test_and_its_figures() -> None:
    """A line of the page of faults names a test that exists, and what that test measured."""
    wrong = []
    for path in sorted((ROOT / "docs" / "faults").glob("*.json")):
        for fault, line in json.loads(path.read_text()).items():
            file, _, name = line["test"].partition("::")
            source = ROOT / file
            if not source.is_file() or f"def {name}(" not in source.read_text():
                wrong.append(f"{path.name}: {fault}: no test {line['test']}")
            if len(line.get("figures", ())) != 4 or not line["figures"][0]:
                wrong.append(
                    f"{path.name}: {fault}: no figures; run its test with HIVELET_FIGURES=1"
                )
    assert wrong == []


def test_every_defence_has_its_test() -> None:
    """The threat model names tests that exist, and no defence without one."""
    text = (ROOT / "docs" / "threat-model.md").read_text()
    _, _, defences = text.partition("## Defences")
    rows = re.findall(r"^\| (?!threat|---)(.+) \|$", defences.partition("## Not defended")[0], re.M)
    assert len(rows) > 5
    for row in rows:
        names = re.findall(r"`(tests/[\w/.]+)::(\w+)`", row)
        assert names, f"no test: {row}"
        for file, name in names:
            source = ROOT / file
            assert source.is_file(), file
            assert f"def {name}(" in source.read_text(), f"{file}::{name}"


def test_the_published_description_is_the_api_of_now() -> None:
    found = generator()
    assert found.OPENAPI.read_text() == found.openapi(), "run python docs/generate.py"


def test_every_part_has_its_page() -> None:
    text = "".join(page.read_text() for page in generator().generated_pages())
    assert [name for name in generator().PARTS if f"<!-- generated: {name} -->" not in text] == []


@pytest.mark.parametrize("page", generator().generated_pages(), ids=lambda page: page.name)
def test_generated_parts_are_as_the_code_is(page: Path) -> None:
    text = page.read_text()
    assert generator().render_page(text) == text, "run: python docs/generate.py"


def test_notes_are_about_what_there_is() -> None:
    """A note on a command or endpoint that is gone would mislead."""
    found = generator()
    assert set(found.API_NOTES) <= {(row.method, row.path) for row in ALL_ROUTES}
    assert {words for words, _, _ in found.commands()} == set(found.EXAMPLES)
    noted_missing = [
        (row.method, row.path)
        for row in ALL_ROUTES
        if row.missing and (row.method, row.path) in found.API_NOTES
    ]
    assert noted_missing == []


def test_every_help_has_examples_that_parse() -> None:
    """What `--help` shows is what a person copies."""
    for words, command, _ in generator().commands():
        context = click.Context(command, info_name=f"hivelet {words}")
        shown = command.get_help(context)
        for line in generator().EXAMPLES[words]:
            parse_command(line)
            if words != "daemon":  # which passes --help on to hiveletd
                assert f"  {line}" in shown, words


# ---- command lines

_FENCE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(hiveletd? (?!does )[^`]+)`")  # "hivelet does not …" is a message


def quoted_commands(text: str) -> set[str]:
    """Every hivelet command line in a page's console blocks and in its running text."""
    lines = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    shown = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    inline = _INLINE.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    commands = []
    for line in [*shown, *inline]:
        bare = re.split(r"\s#\s| && | \|\s|; ", line)[0]
        inner = re.fullmatch(r"source <\((.*)\)", bare)
        bare = inner[1] if inner else bare.partition(" > ")[0]
        if re.match(r"hiveletd?( |$)", bare):
            commands.append(bare.strip())
    return set(commands)


def parse_command(line: str) -> None:
    """Parse a command line as the program would, up to its values.

    Raises:
        click.UsageError: there is no such command or option.
    """
    program, *words = shlex.split(line)
    # `…` and capitals stand for what the reader knows; they are arguments like any other.
    words = [word for word in words if word not in ("…", "COMMAND")]
    command: click.Command = hiveletd if program == "hiveletd" else hivelet
    context = click.Context(command, info_name=program)
    while isinstance(command, click.Group) and words:
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            return
        name, *words = words
        inner = command.get_command(context, name)
        if inner is None:
            raise click.UsageError(f"no command {name!r}", context)
        command = inner
        context = click.Context(inner, info_name=name, parent=context, **inner.context_settings)
    command.make_parser(context).parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_quoted_command_lines_parse(page: Path) -> None:
    wrong = {}
    for line in quoted_commands(page.read_text()):
        try:
            parse_command(line)
        except (click.UsageError, ValueError) as error:
            wrong[line] = str(error)
    assert wrong == {}


def test_command_lines_are_found_and_judged() -> None:
    text = "```console\n# hivelet service ls   # all\n```\nand `hivelet frob`, `hivelet ps --nix`"
    assert quoted_commands(text) == {"hivelet service ls", "hivelet frob", "hivelet ps --nix"}
    parse_command("hivelet service ls")
    for wrong in ("hivelet frob", "hivelet ps --nix", "hiveletd --nix"):
        with pytest.raises(click.UsageError):
            parse_command(wrong)


# ---- messages


def texts(path: Path) -> list[str]:
    """Every string of a module, with `…` for what is filled in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            found.append(
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                )
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@cache
def sentences() -> str:
    """All that the program can say."""
    return "\n".join(text for path in (ROOT / "src").rglob("*.py") for text in texts(path))


def quoted_messages(text: str) -> list[str]:
    """The first column of every table whose head is `message` or `you see`."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
        elif line.startswith(("| message |", "| you see |")):
            inside = True
        elif inside and not line.startswith("|---"):
            found += re.findall(r"`([^`]+)`", line.split(" | ")[0])[-1:]
    return found


# Words that come together only when the program speaks: a reason in another's parentheses.
_COMPOSED = re.compile(
    r"\((?=insufficient|scheduling|1 node|host-mode|max replicas|unsupported)| on 1 node\)|\)$"
)


@pytest.mark.parametrize("page", ["operations.md", "getting-started.md", "states.md"])
def test_quoted_messages_are_said_by_the_program(page: str) -> None:
    said = sentences()
    messages = quoted_messages((ROOT / "docs" / page).read_text())
    assert len(messages) > 3
    unsaid = []
    for message in messages:
        fragments = [
            part for part in re.split(r"…|\d+\)", message) for part in _COMPOSED.split(part)
        ]
        bare = [fragment.strip(" :;,") for fragment in fragments]
        if not all(fragment in said for fragment in bare):
            unsaid.append(message)
    assert unsaid == []
