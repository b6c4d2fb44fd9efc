"""`hivelet completion SHELL`: the script that makes a shell complete hivelet's commands and options."""

from __future__ import annotations

import click

from hivelet.cli.session import say


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  source <(hivelet completion bash)
    zsh:   source <(hivelet completion zsh)
    fish:  hivelet completion fish | source
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    classes = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    root = ctx.find_root().command
    say(classes[shell](root, {}, "hivelet", "_HIVELET_COMPLETE").source())
