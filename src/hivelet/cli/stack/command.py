"""The group of commands on stacks, and `hivelet stack rm`."""

from __future__ import annotations

import click

from hivelet.cli.session import Session, pass_session
from hivelet.cli.stack import looking
from hivelet.cli.stack.deploying import build, deploy, plan_command
from hivelet.cli.stack.reading import check_stack_name, config, seconds_of


@click.group()
def stack() -> None:
    """Deploy and manage stacks: the services, networks, secrets and configs of a compose file."""


@click.command("rm")
@click.option(
    "-d/ ", "--detach/--no-detach", default=False, help="Do not wait until the tasks are gone."
)
@click.option("--timeout", default="5m", show_default=True, help="Longest time to wait.")
@click.argument("names", nargs=-1, required=True, metavar="STACK...")
@pass_session
def remove(session: Session, names: tuple[str, ...], detach: bool, timeout: str) -> int:
    """Remove stacks: their services, secrets, configs and networks. Volumes stay."""
    from hivelet.cli.deploy.remove import remove_stack
    from hivelet.cli.interruption import Interruption

    seconds = seconds_of(timeout)
    for name in names:
        check_stack_name(name)
    with Interruption().watching():
        try:
            done = [remove_stack(session, name, detach=detach, timeout=seconds) for name in names]
        except KeyboardInterrupt:
            again = f"hivelet stack rm {' '.join(names)}"
            click.echo(
                f"Tasks go on stopping by themselves; `{again}` removes what is left.", err=True
            )
            raise
    return 0 if all(done) else 1


for _command in (
    plan_command,
    deploy,
    build,
    config,
    looking.list_stacks,
    looking.services,
    looking.ps,
    remove,
    looking.logs,
    looking.top,
    looking.why,
):
    stack.add_command(_command)

stack.add_command(deploy, "up")
for _alias in ("down", "remove"):
    stack.add_command(remove, _alias)
