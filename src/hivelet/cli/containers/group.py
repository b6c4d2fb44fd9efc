"""`hivelet container …`: the commands for containers by their long names."""

from __future__ import annotations

import click

from hivelet.cli.container import exec_in_container, logs, ps, rm
from hivelet.cli.containers import copy, life, look, run, stats


@click.group()
def container() -> None:
    """Create and manage containers of this node."""


for name, command in (
    ("run", run.run_container),
    ("create", run.create_container),
    ("start", run.start_containers),
    ("attach", run.attach_container),
    ("exec", exec_in_container),
    ("ls", ps),
    ("logs", logs),
    ("stop", life.stop),
    ("restart", life.restart),
    ("kill", life.kill),
    ("pause", life.pause),
    ("unpause", life.unpause),
    ("wait", life.wait),
    ("rename", life.rename),
    ("update", life.update),
    ("rm", rm),
    ("prune", life.prune),
    ("inspect", look.inspect_container),
    ("top", look.top),
    ("stats", stats.stats),
    ("port", look.port),
    ("diff", look.diff),
    ("cp", copy.cp),
    ("export", look.export),
    ("commit", look.commit),
):
    container.add_command(command, name)
