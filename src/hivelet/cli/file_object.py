"""`hivelet secret …` and `hivelet config …`: small files that the cluster keeps for its services."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import click

from hivelet.cli.flag_values import parse_key_value
from hivelet.cli.inspection import inspect_all
from hivelet.cli.options import list_options
from hivelet.cli.render.listing import View, render_list
from hivelet.cli.render.others import CONFIGS, SECRETS, config_rows, secret_rows
from hivelet.cli.session import Session, complain, pass_session, say
from hivelet.compose.files import read_bytes
from hivelet.errors import HiveletError


def _group(kind: str, view: View) -> click.Group:
    noun = kind.removesuffix("s")

    @click.group(noun, help=f"Create and manage {kind}.")
    def group() -> None:
        pass

    @group.command(help=f"Create a {noun} from a file, or from the standard input with -.")
    @click.option("-l", "--label", multiple=True, help="Label.")
    @click.option(
        "--template-driver", default="", help="Driver that fills in the content for each task."
    )
    @click.argument("name", metavar=noun.upper())
    @click.argument("source", metavar="FILE|-")
    @pass_session
    def create(
        session: Session, /, name: str, source: str, label: tuple[str, ...], template_driver: str
    ) -> None:
        data = (
            sys.stdin.buffer.read()
            if source == "-"
            else read_bytes(Path(source), f"file of {noun} {name}")
        )
        spec: dict[str, Any] = {
            "Name": name,
            "Labels": dict(parse_key_value(text) for text in label),
            "Data": base64.b64encode(data).decode(),
        }
        if template_driver:
            spec["Templating"] = {"Name": template_driver}
        say(session.engine.create_file_object(kind, spec))

    @group.command("ls", help=f"List {kind}.")
    @list_options
    @pass_session
    def list_all(
        session: Session, template: str, quiet: bool, filters: dict[str, list[str]]
    ) -> None:
        make = secret_rows if kind == "secrets" else config_rows
        rows = make(session.engine.file_objects(kind, filters), now=session.now())
        click.echo(render_list(view, rows, template=template, quiet=quiet), nl=False)

    @group.command(help=f"Show everything about {kind}.")
    @click.option("-f", "--format", "template", default="", help="Go template, or json.")
    @click.argument("refs", nargs=-1, required=True, metavar=f"{noun.upper()}...")
    @pass_session
    def inspect(session: Session, refs: tuple[str, ...], template: str) -> int:
        return inspect_all(
            refs, lambda ref: session.engine.transport.get(f"/{kind}/{ref}"), template, kind=noun
        )

    @group.command("rm", help=f"Remove {kind}.")
    @click.argument("refs", nargs=-1, required=True, metavar=f"{noun.upper()}...")
    @pass_session
    def remove(session: Session, refs: tuple[str, ...]) -> int:
        failed = 0
        for ref in refs:
            try:
                session.engine.remove_file_object(kind, ref)
                say(ref)
            except HiveletError as error:
                complain(error.message)
                failed = 1
        return failed

    return group


secret = _group("secrets", SECRETS)
config = _group("configs", CONFIGS)
