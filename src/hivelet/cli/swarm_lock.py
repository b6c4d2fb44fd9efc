"""`hivelet swarm unlock`, `unlock-key` and `update`: what is the swarm's as a whole, and the lock of its state."""

from __future__ import annotations

import sys
from typing import Any

import click

from hivelet.cli.session import Session, pass_session, say
from hivelet.errors import Conflict, InvalidParameter, NotASwarmManager


@click.command()
@click.option("--autolock", type=bool, metavar="true|false", help="Lock the state after a restart.")
@click.option("--task-history-limit", type=int, help="Tasks of a slot that are remembered.")
@pass_session
def update(session: Session, autolock: bool | None, task_history_limit: int | None) -> None:
    """Change the settings of the swarm."""
    current = session.engine.swarm()
    spec: dict[str, Any] = current["Spec"]
    was_locked = is_locked(spec)
    if autolock is not None:
        spec["EncryptionConfig"] = {"AutoLockManagers": autolock}
    if task_history_limit is not None:
        spec["Orchestration"] = {"TaskHistoryRetentionLimit": task_history_limit}
    session.engine.update_swarm(current["Version"]["Index"], spec)
    say("Swarm updated.")
    if is_locked(spec) and not was_locked:
        tell_key(session.engine.unlock_key())


@click.command()
@pass_session
def unlock(session: Session) -> None:
    """Unlock a swarm that is locked since its daemon was restarted; the key is asked for, or read from the standard input."""
    state = session.engine.info()["Swarm"]["LocalNodeState"]
    if state == "inactive":
        raise NotASwarmManager
    if state != "locked":
        raise Conflict("swarm is not locked")
    if sys.stdin.isatty():
        key = click.prompt("Please enter unlock key", hide_input=True, err=True)
    else:
        key = sys.stdin.readline()
    session.engine.unlock_swarm(key.strip())


@click.command("unlock-key")
@click.option("-q", "--quiet", is_flag=True, help="Print only the key.")
@click.option("--rotate", is_flag=True, help="Make a new key; the old one no longer works.")
@pass_session
def unlock_key(session: Session, quiet: bool, rotate: bool) -> None:
    """Show the key that unlocks the swarm after a restart."""
    if rotate:
        current = session.engine.swarm()
        if not is_locked(current["Spec"]):
            raise InvalidParameter(
                "cannot rotate because autolock is not turned on; see `hivelet swarm update --autolock=true`"
            )
        session.engine.update_swarm(
            current["Version"]["Index"], current["Spec"], rotate_unlock_key=True
        )
        if not quiet:
            say("Successfully rotated manager unlock key.\n")
    key = session.engine.unlock_key()
    if not key:
        raise InvalidParameter("no unlock key is set; see `hivelet swarm update --autolock=true`")
    if quiet:
        say(key)
    else:
        tell_key(key)


def is_locked(spec: dict[str, Any]) -> bool:
    """Whether a swarm of this spec is locked after a restart."""
    return bool(spec.get("EncryptionConfig", {}).get("AutoLockManagers"))


def tell_key(key: str) -> None:
    """Say what the key is, and what it is for."""
    say(
        "To unlock a swarm manager after it restarts, run the `hivelet swarm unlock`\n"
        f"command and provide the following key:\n\n    {key}\n\n"
        "Please remember to store this key in a password manager, since without it you\n"
        "will not be able to restart the manager."
    )
