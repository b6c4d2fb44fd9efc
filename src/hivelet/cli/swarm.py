"""`hivelet swarm …`: start a swarm on this node, leave it, show its join tokens; the rest is in `swarm_lock.py`."""

from __future__ import annotations

from typing import Any, TypeAlias

import click

from hivelet.cli.session import Session, pass_session, say
from hivelet.cli.swarm_lock import tell_key, unlock, unlock_key, update
from hivelet.errors import InvalidParameter

Json: TypeAlias = dict[str, Any]

_ROLES = {"worker": "Worker", "manager": "Manager"}


@click.group()
def swarm() -> None:
    """Start, leave and inspect a swarm."""


for _command in (update, unlock, unlock_key):
    swarm.add_command(_command)


@swarm.command()
@click.option("--advertise-addr", default="", help="Address that other nodes reach this one at.")
@click.option(
    "--listen-addr",
    default="0.0.0.0:2377",
    show_default=True,
    help="Address to listen at for other nodes.",
)
@click.option("--data-path-addr", default="", help="Address for the traffic of containers.")
@click.option("--data-path-port", default=0, type=int, help="Port for the traffic of containers.")
@click.option(
    "--default-addr-pool", multiple=True, help="Pool for the networks' subnets, in CIDR notation."
)
@click.option(
    "--default-addr-pool-mask-length",
    default=24,
    show_default=True,
    help="Prefix length of a subnet.",
)
@click.option(
    "--task-history-limit",
    default=5,
    show_default=True,
    help="Tasks of a slot that are remembered.",
)
@click.option(
    "--availability",
    type=click.Choice(["active", "pause", "drain"]),
    default="active",
    show_default=True,
)
@click.option("--autolock", is_flag=True, help="Lock the state, so that a restart needs a key.")
@click.option("--force-new-cluster", is_flag=True, help="Begin anew with the state that is here.")
@pass_session
def init(session: Session, /, **options: Any) -> None:
    """Start a swarm whose first node is this one."""
    request = {
        "ListenAddr": options["listen_addr"],
        "AdvertiseAddr": options["advertise_addr"],
        "DataPathAddr": options["data_path_addr"],
        "DataPathPort": options["data_path_port"],
        "DefaultAddrPool": list(options["default_addr_pool"]),
        "SubnetSize": options["default_addr_pool_mask_length"],
        "ForceNewCluster": options["force_new_cluster"],
        "AutoLockManagers": options["autolock"],
        "Availability": options["availability"],
        "Spec": {"Orchestration": {"TaskHistoryRetentionLimit": options["task_history_limit"]}},
    }
    node_id = session.engine.init_swarm(request)
    say(f"Swarm initialized: current node ({node_id}) is now a manager.\n")
    _print_join_command(session, "worker")
    say(
        "To add a manager to this swarm, run `hivelet swarm join-token manager` and follow the instructions.\n"
    )
    if options["autolock"]:
        tell_key(session.engine.unlock_key())


@swarm.command()
@click.option("--token", required=True, help="Token of the swarm, from `hivelet swarm join-token`.")
@click.option("--advertise-addr", default="", help="Address that other nodes reach this one at.")
@click.option(
    "--listen-addr",
    default="0.0.0.0:2377",
    show_default=True,
    help="Address to listen at for other nodes.",
)
@click.option(
    "--availability",
    type=click.Choice(["active", "pause", "drain"]),
    default="active",
    show_default=True,
)
@click.argument("remotes", nargs=-1, required=True, metavar="HOST:PORT...")
@pass_session
def join(session: Session, /, remotes: tuple[str, ...], **options: Any) -> None:
    """Make this node a member of a swarm that another one has started."""
    request = {
        "ListenAddr": options["listen_addr"],
        "AdvertiseAddr": options["advertise_addr"],
        "RemoteAddrs": list(remotes),
        "JoinToken": options["token"],
        "Availability": options["availability"],
    }
    session.engine.transport.request("POST", "/swarm/join", body=request)
    say("This node joined a swarm.")


@swarm.command()
@click.option("-f", "--force", is_flag=True, help="Leave even if this is a manager.")
@pass_session
def leave(session: Session, force: bool) -> None:
    """Take this node out of its swarm; services and networks of a swarm's last manager end."""
    session.engine.leave_swarm(force=force)
    say("Node left the swarm.")


@swarm.command("join-token")
@click.option("-q", "--quiet", is_flag=True, help="Print only the token.")
@click.option("--rotate", is_flag=True, help="Make a new token; the old one no longer works.")
@click.argument("role", type=click.Choice(list(_ROLES)))
@pass_session
def join_token(session: Session, role: str, quiet: bool, rotate: bool) -> None:
    """Show how another machine joins as worker or manager."""
    if rotate:
        current = session.engine.swarm()
        session.engine.update_swarm(
            current["Version"]["Index"],
            current["Spec"],
            rotate_worker=role == "worker",
            rotate_manager=role == "manager",
        )
    if quiet:
        say(session.engine.swarm()["JoinTokens"][_ROLES[role]])
        return
    if rotate:
        say(f"Successfully rotated {role} join token.\n")
    _print_join_command(session, role)


def _print_join_command(session: Session, role: str) -> None:
    token = session.engine.swarm()["JoinTokens"][_ROLES[role]]
    managers = session.engine.info()["Swarm"].get("RemoteManagers") or []
    if not managers:
        raise InvalidParameter("the daemon knows no manager's address yet; try again in a moment")
    say(f"To add a {role} to this swarm, run the following command:\n")
    say(f"    hivelet swarm join --token {token} {managers[0]['Addr']}\n")
