"""Man pages: one for each command, as `--help` has it, and what mandoc finds nothing wrong with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from hivelet.cli.main import hivelet as root
from hivelet.cli.render.man_page import man_page, man_pages, quoted

Run = Callable[..., Any]


def test_there_is_one_for_each_command(hivelet: Run, tmp_path: Path) -> None:
    folder = tmp_path / "man1"
    folder.mkdir()
    (folder / "hivelet-gone.1").touch()
    (folder / "other.1").touch()
    done = hivelet("man", str(tmp_path))
    written = {path.stem for path in folder.glob("hivelet*")}
    assert done.out == f"{len(written)} pages in {folder}\n"
    assert written == set(man_pages(root))
    assert {"hivelet", "hivelet-service", "hivelet-service-create", "hivelet-ps"} <= written
    assert "hivelet-gone" not in written
    assert (folder / "other.1").exists()
    assert hivelet("man", "/proc/none").code == 1


def test_what_is_in_one() -> None:
    text = man_pages(root)["hivelet-service-exec"]
    assert "hivelet\\-service\\-exec \\- Run a command in a task of a service" in text
    assert ".SH EXAMPLES\n.nf\nhivelet service exec web.2 \\-\\- python manage.py shell\n" in text
    assert ".TP\n.B \\-t, \\-\\-tty\nGive the command a terminal.\n" in text
    assert ".SH SEE ALSO\n.BR hivelet\\-service (1)\n" in text
    assert "hivelet service exec" in text


def test_letters_are_no_requests() -> None:
    assert quoted(".so a\\b --c") == "\\&.so a\\eb \\-\\-c"
    command = click.Command("x", help="'quoted'\n\n\b\n.kept\n  as it is")
    page = man_page("hivelet-x", click.Context(command, info_name="x"), "hivelet")
    assert "\n\\&'quoted'\n.nf\n\\&.kept\nas it is\n.fi\n" in page


def test_mandoc_has_nothing_against_them(tmp_path: Path) -> None:
    program = shutil.which("mandoc")
    if program is None:
        pytest.skip("mandoc is not installed")
    for name, text in man_pages(root).items():
        (tmp_path / f"{name}.1").write_text(text)
    done = subprocess.run(
        [program, "-T", "lint", "-W", "warning", *tmp_path.glob("*.1")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert said == []
