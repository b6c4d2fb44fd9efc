"""`hivelet login` and `hivelet logout`: credentials for a registry, kept where docker keeps them, so that either program finds them.

What is written is `config.json`, and of it the registry's entry alone; or, where the file names a credential helper, that is told.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import click

from hivelet.cli.credential_helper import tell_helper
from hivelet.cli.registry import HUB, helper_of
from hivelet.cli.session import Session, pass_session, say, warn
from hivelet.client.contexts import docker_directory, read_config
from hivelet.errors import InvalidParameter, System

Json: TypeAlias = dict[str, Any]


@click.command()
@click.option("-u", "--username", default="", help="Name of the user.")
@click.option("-p", "--password", default="", help="Password; others see it in the process table.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the standard input.")
@click.argument("server", required=False, default="", metavar="[SERVER]")
@pass_session
def login(
    session: Session, server: str, username: str, password: str, password_stdin: bool
) -> None:
    """Give the credentials for a registry; without a SERVER for Docker Hub."""
    if password_stdin:
        if password:
            raise InvalidParameter("--password and --password-stdin are mutually exclusive")
        if not username:
            raise InvalidParameter("--password-stdin needs a --username")
        password = sys.stdin.read().rstrip("\r\n")
    elif password:
        warn("a password on the command line is seen by others; use --password-stdin")
    name = server_name(server)
    if not username or not password:
        if not sys.stdin.isatty():
            raise InvalidParameter(
                "cannot ask for credentials without a terminal: use --username and --password-stdin"
            )
        username = username or click.prompt("Username", err=True)
        password = password or click.prompt("Password", hide_input=True, err=True)
    answer = session.engine.check_credentials(
        {"username": username, "password": password, "serveraddress": name}
    )
    token = str(answer.get("IdentityToken") or "")
    _keep(session.environment, name, username, password, token)
    say(str(answer.get("Status") or "Login Succeeded"))


@click.command()
@click.argument("server", required=False, default="", metavar="[SERVER]")
@pass_session
def logout(session: Session, server: str) -> None:
    """Forget the credentials for a registry; without a SERVER for Docker Hub."""
    name = server_name(server)
    config = read_config(session.environment)
    helper = helper_of(config, name)
    say(f"Removing login credentials for {name}")
    if helper:
        tell_helper(helper, "erase", name, session.environment)
        return
    if name not in (config.get("auths") or {}):
        say(f"Not logged in to {name}")
        return
    del config["auths"][name]
    write_config(session.environment, config)


def server_name(server: str) -> str:
    """The key under which a registry's credentials are kept."""
    if not server or server in {"docker.io", "index.docker.io"}:
        return HUB
    host = server.partition("://")[2] or server
    return host.partition("/")[0]


def _keep(
    environment: Mapping[str, str], server: str, user: str, password: str, token: str
) -> None:
    config = read_config(environment)
    helper = helper_of(config, server)
    if helper:
        secret = {
            "ServerURL": server,
            "Username": "<token>" if token else user,
            "Secret": token or password,
        }
        tell_helper(helper, "store", json.dumps(secret), environment)
        return
    entry: Json = {
        "auth": base64.b64encode(f"{user}:{'' if token else password}".encode()).decode()
    }
    if token:
        entry["identitytoken"] = token
    config.setdefault("auths", {})[server] = entry
    path = write_config(environment, config)
    warn(f"the credentials are stored unencrypted in {path}; a credential helper keeps them safer")


def write_config(environment: Mapping[str, str], config: Json) -> Path:
    """Write docker's `config.json`, which nobody else may read, in one step.

    Raises:
        System: it can't be written.
    """
    path = docker_directory(environment) / "config.json"
    part = path.with_name(f".config.json.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A link leads to where somebody keeps the file: it stays a link.
        target = path.resolve()
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(json.dumps(config, indent="\t") + "\n")
        part.replace(target)
    except OSError as error:
        raise System(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return path
