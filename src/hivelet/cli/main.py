"""The `hivelet` command itself: finds and imports the command that was asked for, and says what went wrong.

Exit codes: 0 all went well; 1 the daemon refused or something failed; 2 the command line is wrong; 3 a plan has something to
do, where that was asked for; 130 interrupted; 141 nobody reads the output any more. `exec` ends with the exit code of the
command that it ran.
An error is one line on the standard error that begins with `Error:`; nothing else of hivelet knows exit codes.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from hivelet import __version__
from hivelet.cli.examples import add_examples
from hivelet.cli.messages import plain_message
from hivelet.cli.session import Session, paint
from hivelet.errors import HiveletError

_FAILED = 1
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_COMPLETING = "_HIVELET_COMPLETE"
"""The variable by which a shell asks for completions."""

COMMANDS: dict[str, tuple[str, str]] = {
    "swarm": ("hivelet.cli.swarm:swarm", "Start, leave and inspect a swarm."),
    "node": ("hivelet.cli.node:node", "Look at the machines of the swarm."),
    "stack": ("hivelet.cli.stack.command:stack", "Deploy and manage whole stacks of services."),
    "service": ("hivelet.cli.service:service", "Create and manage services."),
    "network": ("hivelet.cli.network:network", "Create and manage networks."),
    "volume": ("hivelet.cli.volume:volume", "Create and manage volumes of this node."),
    "secret": ("hivelet.cli.file_object:secret", "Create and manage secrets."),
    "config": ("hivelet.cli.file_object:config", "Create and manage configs."),
    "image": ("hivelet.cli.image:image", "Import, load, pull and manage images."),
    "build": ("hivelet.cli.build.command:build", "Build an image from a Dockerfile."),
    "push": ("hivelet.cli.build.command:push", "Carry an image to its registry."),
    "ps": ("hivelet.cli.container:ps", "List containers of this node."),
    "logs": ("hivelet.cli.container:logs", "Show the log of a container."),
    "exec": ("hivelet.cli.container:exec_in_container", "Run a command in a container."),
    "rm": ("hivelet.cli.container:rm", "Remove containers of this node."),
    "system": ("hivelet.cli.system:system", "Look at the daemon itself."),
    "info": ("hivelet.cli.system:info", "Show what the daemon says of itself."),
    "version": ("hivelet.cli.system:version", "Show the versions of client and daemon."),
    "events": ("hivelet.cli.system:events", "Watch what happens."),
    "doctor": ("hivelet.cli.doctor:doctor", "Check whether this machine has what hivelet needs."),
    "daemon": ("hivelet.cli.daemon:daemon", "Run the daemon (hiveletd)."),
    "man": ("hivelet.cli.man:man", "Write the man pages."),
    "completion": ("hivelet.cli.completion:completion", "Print the completion script for a shell."),
}


class LazyGroup(click.Group):
    """A group that knows the names of its commands and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, imported."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        add_examples(command, cmd_name)
        if _COMPLETING in os.environ:
            _complete(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for `--help`, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word, with a suggestion where there is none."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(name, list(COMMANDS), n=1)
            hint = (
                f'; did you mean "{close[0]}"?'
                if close
                else "; `hivelet --help` lists all commands"
            )
            ctx.fail(f'there is no command "{name}"{hint}')
        return super().resolve_command(ctx, args)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-H",
    "--host",
    metavar="ADDRESS",
    help="The daemon's address: unix:///path, ssh://user@host or tcp://host:port. "
    "Without it the context, HIVELET_HOST, DOCKER_HOST, then unix:///run/hivelet.sock.",
)
@click.option(
    "-c",
    "--context",
    metavar="NAME",
    help="One of Docker's contexts. Without it DOCKER_CONTEXT, then the one in use.",
)
@click.option("--tls", is_flag=True, help="Use TLS, and trust any server.")
@click.option(
    "--tlsverify/--no-tlsverify",
    default=None,
    help="Use TLS, and trust a server of the authority alone. Without it DOCKER_TLS_VERIFY.",
)
@click.option(
    "--tlscacert",
    metavar="FILE",
    help="The authority's certificate. Without it ca.pem in DOCKER_CERT_PATH, or in ~/.docker.",
)
@click.option("--tlscert", metavar="FILE", help="Our certificate, cert.pem beside it.")
@click.option("--tlskey", metavar="FILE", help="Our key, key.pem beside it.")
@click.version_option(__version__, "-v", "--version", message="hivelet version %(version)s")
@click.pass_context
def hivelet(ctx: click.Context, /, host: str | None, **daemon: Any) -> None:
    """Docker Swarm's services on any Linux host, without Docker Engine.

    The commands speak the Docker Engine API: they drive hivelet's own daemon as well as a real Docker Swarm.
    """
    session = ctx.ensure_object(Session)
    if host is not None:
        session.host = host
    session.daemon = daemon


def run(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Run a command line; the answer is the exit code."""
    session = session or Session()
    try:
        return _invoke(arguments, session)
    finally:
        session.close()


def _invoke(arguments: Sequence[str] | None, session: Session) -> int:
    if _COMPLETING in os.environ:
        _complete(hivelet)
    try:
        result = hivelet.main(
            args=None if arguments is None else list(arguments),
            prog_name="hivelet",
            standalone_mode=False,
            obj=session,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        _show(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"Try `{error.ctx.command_path} --help`.", err=True)
        return error.exit_code
    except HiveletError as error:
        _show(plain_message(error.message))
        return _FAILED
    except SystemExit as error:
        # click's way out after completions, and where a write finds nobody who reads.
        return 0 if _COMPLETING in os.environ and not error.code else _BROKEN_PIPE
    except (click.Abort, KeyboardInterrupt):
        click.echo(err=True)
        return _INTERRUPTED
    return result if isinstance(result, int) else 0


def _complete(command: click.Command) -> None:
    from hivelet.cli.complete_names import add_completions

    add_completions(command)


def main() -> None:
    """The console script. Whoever reads our output may stop reading; a daemon that hangs up is an error like any other."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    sys.exit(code)


def _show(message: str) -> None:
    click.echo(f"{paint('Error:', 'red')} {message}", err=True)
