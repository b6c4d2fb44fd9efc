"""Reading stack files for a command: its options, its notes and warnings, and `hivelet stack config`, which shows what was read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from hivelet.cli.session import Session, pass_session, warn
from hivelet.errors import InvalidParameter

if TYPE_CHECKING:
    from hivelet.compose.load import LoadedStack, LoadOptions

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


def compose_file_option(command: Any) -> Any:
    """`-c FILE`, repeatable."""
    text = (
        "Compose file; several are laid over each other; - is the standard input. "
        "[default: those of COMPOSE_FILE, else compose.yaml or docker-compose.yml]"
    )
    return click.option("-c", "--compose-file", "files", multiple=True, metavar="FILE", help=text)(
        command
    )


def loader_options(command: Any) -> Any:
    """What the reading of compose files takes: `-c`, `--env-file`, `--profile`."""
    profile = click.option(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        help="Bring in the services of a profile; * brings in all. [default: those of COMPOSE_PROFILES]",
    )
    env_file = click.option(
        "--env-file",
        "env_files",
        multiple=True,
        metavar="FILE",
        help="File with variables; later ones win, the environment wins over all. [default: .env beside the first file]",
    )
    return compose_file_option(env_file(profile(command)))


@click.command()
@loader_options
@click.option("--skip-interpolation", is_flag=True, help="Leave variables as they are.")
@click.option(
    "--lock-image-digests",
    "lock",
    is_flag=True,
    help="Print nothing but the images with their digests, as a file to give with a second -c.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not say which files were read or left out.")
@pass_session
def config(
    session: Session,
    /,
    files: tuple[str, ...],
    skip_interpolation: bool,
    lock: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Print the file as it is understood: merged, with variables filled in, in long form."""
    from hivelet.compose.load import LoadOptions
    from hivelet.compose.render import render_config

    how = LoadOptions(skip_interpolation=skip_interpolation, with_contents=False, **options)
    loaded = read_stack(session, files, how, quiet=quiet)
    form = loaded.long_form
    if lock:
        from hivelet.cli.deploy.lock import locked_images

        form = locked_images(session, loaded.file)
    click.echo(render_config(form), nl=False)


def check_stack_name(name: str) -> None:
    """Refuse what cannot be part of a service's name.

    Raises:
        InvalidParameter: `name` has other characters than letters, digits, `_`, `.` and `-`.
    """
    if not _NAME.match(name):
        raise InvalidParameter(
            f'invalid stack name "{name}": letters, digits, "_", "." and "-" are allowed'
        )


def read_stack(
    session: Session, files: tuple[str, ...], options: LoadOptions, *, quiet: bool
) -> LoadedStack:
    """Load a stack and tell on the standard error what must be known of it."""
    from hivelet.compose.load import load_stack
    from hivelet.compose.selection import choose_files

    loaded = load_stack(choose_files(files, session.environment), session.environment, options)
    for note in () if quiet else loaded.notes:
        click.echo(f"Note: {note}", err=True)
    for warning in loaded.warnings:
        warn(warning)
    return loaded


def read_named(
    session: Session, name: str, files: tuple[str, ...], options: dict[str, Any], *, builds: bool
) -> tuple[LoadedStack, str]:
    """Read the files of a stack that has a name, its own or the one given.

    Raises:
        InvalidParameter: it has none, or none that a stack can have.
    """
    from hivelet.compose.load import LoadOptions

    if name:
        check_stack_name(name)
    how = LoadOptions(
        stack=name,
        env_files=options["env_files"],
        profiles=options["profiles"],
        builds=builds,
    )
    loaded = read_stack(session, files, how, quiet=options["quiet"])
    stack_name = name or loaded.name
    if not stack_name:
        raise InvalidParameter(
            "the stack has no name: give one after the options (hivelet stack deploy -c FILE STACK), "
            "or write `name:` into the file"
        )
    return loaded, stack_name


def seconds_of(text: str, option: str = "--timeout") -> float:
    """A time that an option gives."""
    from hivelet.cli.service import parse_seconds

    seconds = parse_seconds(text, option)
    return 0.0 if seconds is None else seconds
