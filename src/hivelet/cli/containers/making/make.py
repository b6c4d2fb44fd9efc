"""Making a container of what `run` and `create` were told: its image is pulled where it lacks, its id is written where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import click

from hivelet.cli.containers.making.environment import environment_of, labels_of
from hivelet.cli.containers.making.request import create_request
from hivelet.cli.session import Session, warn
from hivelet.errors import InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]


def make_container(session: Session, image: str, command: tuple[str, ...], given: Json) -> str:
    """The id of a new container; its image is pulled where it lacks.

    Raises:
        HiveletError: an option is not right, or the daemon refused.
    """
    if given["cidfile"] and Path(given["cidfile"]).exists():
        raise InvalidParameter(
            f"--cidfile: {given['cidfile']} exists: remove it, or name another file"
        )
    env = environment_of(given["env_file"], given["env"], session.environment)
    labels = labels_of(given["label_file"], given["label"])
    request = create_request(given, image, command, env, labels)
    if given["mac_address"] and _before(session, 44):
        request["MacAddress"] = given["mac_address"]
    if given["pull"] == "always":
        _pull(session, image, given)
    try:
        answer = _create(session, request, given)
    except NotFound as error:
        if given["pull"] != "missing" or "no such image" not in error.message.lower():
            raise
        click.echo(f"Unable to find image '{_with_tag(image)}' locally", err=True)
        _pull(session, image, given)
        answer = _create(session, request, given)
    for warning in answer.get("Warnings") or []:
        warn(warning)
    identity = str(answer["Id"])
    if given["cidfile"]:
        Path(given["cidfile"]).write_text(identity)
    return identity


def _create(session: Session, request: Json, given: Json) -> Json:
    name, platform = given["name"] or "", given["platform"] or ""
    return session.engine.by_hand.create(request, name=name, platform=platform)


def _before(session: Session, minor: int) -> bool:
    """Whether the daemon's API is older than 1.`minor`."""
    return int(session.engine.transport.api_version.partition(".")[2]) < minor


def _with_tag(image: str) -> str:
    from hivelet.compose.images import with_default_tag

    return with_default_tag(image)


def _pull(session: Session, image: str, given: Json) -> None:
    """Fetch an image; its progress goes to the standard error, as the output is the container's."""
    from hivelet.cli.progress_lines import progress_line
    from hivelet.cli.registry import registry_auth
    from hivelet.errors import System

    reference = _with_tag(image)
    query = {"fromImage": reference, "platform": given["platform"]}
    auth = registry_auth(session.environment, image)
    for answer in session.engine.pull(query, auth):
        if answer.get("error"):
            raise System(str(answer["error"]))
        line = "" if given["quiet"] else progress_line(answer, terminal=False)
        if line:
            click.echo(line, err=True)
