"""The documents: links that lead somewhere, commands that exist, versions that agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import hivelet

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def documents() -> list[Path]:
    """Every Markdown file that is part of the project, not of an environment or a cache."""
    skipped = {
        ".venv",
        ".git",
        "node_modules",
        "build",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
    }
    return sorted(
        path for path in ROOT.rglob("*.md") if not skipped & set(path.relative_to(ROOT).parts)
    )


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as a forge makes them."""
    headings = re.findall(r"^#+\s+(.*)$", text, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path in documents():
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            place, _, anchor = target.partition("#")
            there = (path.parent / place).resolve() if place else path
            wrong_anchor = (
                anchor
                and there.suffix == ".md"
                and there.exists()
                and anchor not in anchors(there.read_text())
            )
            if not there.exists() or wrong_anchor:
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_document_is_reached_from_the_readme() -> None:
    """Nobody finds a page that nothing links to."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists() or path.suffix != ".md":
            continue
        seen.add(path)
        for target in LINK.findall(path.read_text()):
            place = target.partition("#")[0]
            if place and not re.match(r"[a-z]+:", target):
                there = (path.parent / place).resolve()
                waiting.append(there / "README.md" if there.is_dir() else there)
    unreached = [str(path.relative_to(ROOT)) for path in documents() if path not in seen]
    assert unreached == []


def test_the_version_is_the_changelogs_and_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == hivelet.__version__
    headings = re.findall(
        r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE
    )
    assert project["version"] in headings or headings[:1] == ["Unreleased"]


def test_scripts_are_executable() -> None:
    """What the README tells to run as ./name can be run so."""
    text = (ROOT / "README.md").read_text()
    for script in set(re.findall(r"(?<![\w/])\./([\w./-]+)", text)):
        path = ROOT / script.rstrip(".")
        assert path.exists(), f"README names ./{script}, which is not there"
        if path.is_file():
            assert path.stat().st_mode & 0o111, f"./{script} is not executable"
