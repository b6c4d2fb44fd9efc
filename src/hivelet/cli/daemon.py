"""`hivelet daemon`: becomes `hiveletd`. The program is executed, not imported: the command line is only a client."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from hivelet.errors import NotFound


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    },
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def daemon(arguments: tuple[str, ...]) -> None:
    """Run the daemon (hiveletd) with the options that follow; `hivelet daemon --help` lists them."""
    beside = Path(sys.argv[0]).resolve().with_name("hiveletd")
    program = str(beside) if os.access(beside, os.X_OK) else shutil.which("hiveletd")
    if program is None:
        raise NotFound("the program hiveletd is not installed beside hivelet and not on the PATH")
    sys.stdout.flush()
    os.execv(program, ["hiveletd", *arguments])  # noqa: S606 - replaces this process on purpose
