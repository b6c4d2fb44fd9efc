"""`hivelet doctor`: whether this machine has what hivelet needs, each finding with what it means and the way out.

The one command that looks at the machine itself; a daemon is asked where one answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hivelet.cli.session import Session, paint, pass_session, say
from hivelet.errors import HiveletError

if TYPE_CHECKING:
    from hivelet.doctor.finding import Finding

_MARKS = {"ok": ("ok  ", "green"), "note": ("note", "yellow"), "serious": ("FAIL", "red")}
_INDENT = "      "


@click.command()
@click.option("--fix", is_flag=True, help="Repair what is safe to repair, saying what is done.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="json: one object for each finding, one in a line.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Where the daemon keeps its state (default: what it says, or /var/lib/hivelet).",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Where it keeps its run-time files (default /run/hivelet).",
)
@pass_session
def doctor(session: Session, fix: bool, form: str, root: Path | None, run: Path | None) -> int:
    """Check whether this machine has what hivelet needs, with or without a daemon."""
    # Imported here: no other command of this command line needs what looks at the machine.
    from hivelet.doctor.examine import make_repair
    from hivelet.doctor.finding import is_serious
    from hivelet.doctor.repair import list_repairs

    findings = _examine(session, root, run)
    if fix and (repairs := list(list_repairs(findings))):
        for repair in repairs:
            click.echo(f"repairing: {repair.command}", err=True)
            if refusal := make_repair(repair):
                click.echo(f"{_INDENT}failed: {refusal}", err=True)
        findings = _examine(session, root, run)
    for finding in findings:
        if form == "json":
            say(json.dumps(_as_json(finding)))
        else:
            _show(finding)
    return 1 if is_serious(findings) else 0


def _examine(session: Session, root: Path | None, run: Path | None) -> list[Finding]:
    from hivelet.doctor.examine import DEFAULT_ROOT, DEFAULT_RUN, examine
    from hivelet.doctor.reading import describe_daemon

    info, refusal = None, ""
    try:
        info = session.engine.info()
        address = session.engine.transport.address.url
    except HiveletError as error:
        refusal, address = error.message, _address(session)
    said = Path((info or {}).get("DockerRootDir") or DEFAULT_ROOT)
    return examine(
        session.now(),
        describe_daemon(address, info, refusal),
        root or said,
        run or DEFAULT_RUN,
    )


def _address(session: Session) -> str:
    try:
        return session.engine.transport.address.url
    except HiveletError:
        return session.host or ""


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.level]
    say(f"{paint(mark, colour)}  {finding.name}: {finding.seen}")
    if finding.level == "ok":
        return
    say(f"{_INDENT}{finding.meaning}")
    for line in finding.way.splitlines():
        say(f"{_INDENT}{line}")


def _as_json(finding: Finding) -> dict[str, object]:
    bad = finding.level != "ok"
    return {
        "Name": finding.name,
        "Level": finding.level,
        "Seen": finding.seen,
        "Meaning": finding.meaning if bad else "",
        "WayOut": finding.way if bad else "",
        "Repairs": [repair.command for repair in finding.repairs] if bad else [],
    }
