"""The `hivelet` command itself: finds and imports the command that was asked for, and says what went wrong.

Exit codes: 0 all went well; 1 the daemon refused or something failed; 2 the command line is wrong; 3 a plan has something to
do, where that was asked for; 130 interrupted; 141 nobody reads the output any more. `exec` ends with the exit code of the
command that it ran.
An error is one line on the standard error that begins with `Error:`; nothing else of hivelet knows exit codes.
"""

from __future__ import annotations

import copy
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

_BY_HAND = "hivelet.cli.containers"

SWARM: dict[str, tuple[str, str]] = {
    "swarm": ("hivelet.cli.swarm:swarm", "Start, leave and inspect a swarm."),
    "node": ("hivelet.cli.node:node", "Look at the machines of the swarm."),
    "stack": ("hivelet.cli.stack.command:stack", "Deploy and manage whole stacks of services."),
    "service": ("hivelet.cli.service:service", "Create and manage services."),
    "secret": ("hivelet.cli.file_object:secret", "Create and manage secrets."),
    "config": ("hivelet.cli.file_object:config", "Create and manage configs."),
}
OF_A_NODE: dict[str, tuple[str, str]] = {
    "container": (f"{_BY_HAND}.group:container", "Create and manage containers."),
    "image": ("hivelet.cli.image:image", "Import, load, pull and manage images."),
    "network": ("hivelet.cli.network:network", "Create and manage networks."),
    "volume": ("hivelet.cli.volume:volume", "Create and manage volumes of this node."),
    "system": ("hivelet.cli.system:system", "Look at the daemon itself."),
    "run": (f"{_BY_HAND}.run:run_container", "Make a container and start it."),
    "create": (f"{_BY_HAND}.run:create_container", "Make a container."),
    "start": (f"{_BY_HAND}.run:start_containers", "Start containers."),
    "attach": (f"{_BY_HAND}.run:attach_container", "Attach to a container that runs."),
    "exec": ("hivelet.cli.container:exec_in_container", "Run a command in a container."),
    "ps": ("hivelet.cli.container:ps", "List containers of this node."),
    "logs": ("hivelet.cli.container:logs", "Show the log of a container."),
    "stop": (f"{_BY_HAND}.life:stop", "Stop containers."),
    "restart": (f"{_BY_HAND}.life:restart", "Stop containers and start them again."),
    "kill": (f"{_BY_HAND}.life:kill", "Send containers a signal."),
    "pause": (f"{_BY_HAND}.life:pause", "Freeze containers."),
    "unpause": (f"{_BY_HAND}.life:unpause", "Let frozen containers go on."),
    "wait": (f"{_BY_HAND}.life:wait", "Wait until containers end, and print their exit codes."),
    "rename": (f"{_BY_HAND}.life:rename", "Give a container another name."),
    "update": (f"{_BY_HAND}.life:update", "Give containers other limits."),
    "rm": ("hivelet.cli.container:rm", "Remove containers of this node."),
    "inspect": (f"{_BY_HAND}.look:inspect_any", "Show everything about objects of any kind."),
    "top": (f"{_BY_HAND}.look:top", "Show the processes of a container."),
    "stats": (f"{_BY_HAND}.stats:stats", "Show what containers use."),
    "port": (f"{_BY_HAND}.look:port", "Show the published ports of a container."),
    "diff": (f"{_BY_HAND}.look:diff", "Show which files of a container were changed."),
    "cp": (f"{_BY_HAND}.copy:cp", "Copy files from a container, or into it."),
    "export": (f"{_BY_HAND}.look:export", "Write the files of a container as a tar archive."),
    "commit": (f"{_BY_HAND}.look:commit", "Make an image of a container."),
    "backup": ("hivelet.cli.backup:backup", "Write the state of the node to a file."),
    "restore": ("hivelet.cli.backup:restore", "Start with the state of a backup."),
    "events": ("hivelet.cli.system:events", "Watch what happens."),
    "info": ("hivelet.cli.system:info", "Show what the daemon says of itself."),
    "version": ("hivelet.cli.system:version", "Show the versions of client and daemon."),
    "login": ("hivelet.cli.login:login", "Give the credentials for a registry."),
    "logout": ("hivelet.cli.login:logout", "Forget the credentials for a registry."),
    "build": ("hivelet.cli.build.command:build", "Build an image from a Dockerfile."),
    "push": ("hivelet.cli.build.command:push", "Carry an image to its registry."),
    "images": ("hivelet.cli.image:list_images", "List images."),
    "pull": ("hivelet.cli.image:pull", "Fetch an image."),
    "load": ("hivelet.cli.image:load", "Load images from an archive."),
    "import": ("hivelet.cli.image:import_image", "Make an image of a root file system."),
    "tag": ("hivelet.cli.image:tag", "Give an image another name."),
    "rmi": ("hivelet.cli.image:remove", "Remove images."),
    "save": ("hivelet.cli.image_archive:save", "Write images as an archive."),
    "history": ("hivelet.cli.image_archive:history", "Show how an image was made."),
}
OF_HIVELET: dict[str, tuple[str, str]] = {
    "doctor": ("hivelet.cli.doctor:doctor", "Check whether this machine has what hivelet needs."),
    "daemon": ("hivelet.cli.daemon:daemon", "Run the daemon (hiveletd)."),
    "man": ("hivelet.cli.man:man", "Write the man pages."),
    "completion": ("hivelet.cli.completion:completion", "Print the completion script for a shell."),
}
SECTIONS = {
    "Swarm": SWARM,
    "Containers, images and this node": OF_A_NODE,
    "hivelet itself": OF_HIVELET,
}
COMMANDS: dict[str, tuple[str, str]] = {**SWARM, **OF_A_NODE, **OF_HIVELET}


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
        if command.name != cmd_name:  # one that is known by a shorter name as well
            command = copy.copy(command)
            command.name = cmd_name
        _add_aliases(command)
        add_examples(command, cmd_name)
        if _COMPLETING in os.environ:
            _complete(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for `--help`, without importing anything."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

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


_ALIASES = {"list": "ls", "ps": "ls", "remove": "rm"}
"""Docker's longer names of the commands of a group; `ps` is one in `container` alone."""


def _add_aliases(command: click.Command) -> None:
    """Give a group's commands the names that docker has for them as well; help does not list these."""
    if not isinstance(command, click.Group):
        return
    for alias, name in _ALIASES.items():
        known = command.commands.get(name)
        if known is None or alias in command.commands:
            continue
        if alias != "ps" or command.name == "container":
            other = copy.copy(known)
            other.hidden = True
            command.add_command(other, alias)


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
