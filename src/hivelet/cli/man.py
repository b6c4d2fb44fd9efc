"""`hivelet man`: writes a man page for every command, out of what `--help` is made of, so that neither can say more than the other."""

from __future__ import annotations

from pathlib import Path

import click

from hivelet.cli.session import say
from hivelet.errors import System

_DEFAULT = "/usr/local/share/man"


@click.command()
@click.argument("directory", metavar="[DIRECTORY]", default=_DEFAULT)
@click.pass_context
def man(context: click.Context, directory: str) -> None:
    """Write the man pages of all commands below DIRECTORY, into man1; `man hivelet-service-create` then shows one.

    Without a DIRECTORY they go to /usr/local/share/man, where man looks on every Linux.
    """
    from hivelet.cli.render.man_page import man_pages

    folder = Path(directory) / "man1"
    root = context.find_root().command
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("hivelet*.1"):
            old.unlink()
        pages = man_pages(root)
        for name, text in pages.items():
            (folder / f"{name}.1").write_text(text)
    except OSError as error:
        raise System(f"{folder} cannot be written: {error}; name a directory that can") from error
    say(f"{len(pages)} pages in {folder}")
