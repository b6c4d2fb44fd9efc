"""`hivelet network …`: networks of the cluster and of this node."""

from __future__ import annotations

from typing import Any, TypeAlias

import click

from hivelet.cli.flag_values import parse_key_value
from hivelet.cli.inspection import inspect_all
from hivelet.cli.options import list_options, no_trunc_option, prune_filter_option
from hivelet.cli.render.listing import render_list
from hivelet.cli.render.others import NETWORKS, network_rows
from hivelet.cli.session import Session, complain, pass_session, say, warn
from hivelet.errors import HiveletError, InvalidParameter

Json: TypeAlias = dict[str, Any]


@click.group()
def network() -> None:
    """Create and manage networks."""


@network.command()
@click.option(
    "-d",
    "--driver",
    default="bridge",
    show_default=True,
    help="overlay for services, bridge for one node.",
)
@click.option("--subnet", multiple=True, help="Subnet in CIDR notation.")
@click.option("--gateway", multiple=True, help="Gateway of a subnet.")
@click.option("--ip-range", multiple=True, help="Part of a subnet that addresses are taken from.")
@click.option("--aux-address", multiple=True, help="NAME=ADDRESS that is not given away.")
@click.option("--ipam-driver", default="default", show_default=True)
@click.option("--ipam-opt", multiple=True, help="Option of the IPAM driver.")
@click.option("-o", "--opt", multiple=True, help="Option of the driver: KEY=VALUE.")
@click.option("--label", multiple=True, help="Label.")
@click.option("--internal", is_flag=True, help="No way out of this network.")
@click.option("--attachable", is_flag=True, help="Plain containers may join too.")
@click.option("--ingress", is_flag=True, help="Make it the network of published ports.")
@click.option("--ipv6", is_flag=True, help="Give IPv6 addresses too.")
@click.option("--scope", default="", help="swarm or local.")
@click.argument("name")
@pass_session
def create(session: Session, /, name: str, **options: Any) -> None:
    """Create a network."""
    request = {
        "Name": name,
        "Driver": options["driver"],
        "Scope": options["scope"],
        "IPAM": {
            "Driver": options["ipam_driver"],
            "Options": _pairs(options["ipam_opt"]),
            "Config": _pools(options),
        },
        "Internal": options["internal"],
        "Attachable": options["attachable"],
        "Ingress": options["ingress"],
        "EnableIPv6": options["ipv6"],
        "Options": _pairs(options["opt"]),
        "Labels": _pairs(options["label"]),
    }
    answer = session.engine.create_network(request)
    if answer.get("Warning"):
        warn(answer["Warning"])
    say(answer["Id"])


@network.command("ls")
@no_trunc_option
@list_options
@pass_session
def list_networks(
    session: Session, no_trunc: bool, template: str, quiet: bool, filters: dict[str, list[str]]
) -> None:
    """List networks."""
    rows = network_rows(session.engine.networks(filters), trunc=not no_trunc)
    click.echo(render_list(NETWORKS, rows, template=template, quiet=quiet), nl=False)


@network.command()
@click.option("-f", "--format", "template", default="", help="Go template, or json.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="With the services in it, and each task's state in the balancer and connections.",
)
@click.argument("refs", nargs=-1, required=True, metavar="NETWORK...")
@pass_session
def inspect(session: Session, refs: tuple[str, ...], template: str, verbose: bool) -> int:
    """Show everything about networks."""

    def find(ref: str) -> Json:
        asked = {"verbose": verbose, "backends": verbose}
        return dict(session.engine.transport.get(f"/networks/{ref}", **asked))

    return inspect_all(refs, find, template, kind="network")


@network.command("rm")
@click.option("-f", "--force", is_flag=True, help="No error for a network that does not exist.")
@click.argument("refs", nargs=-1, required=True, metavar="NETWORK...")
@pass_session
def remove(session: Session, refs: tuple[str, ...], force: bool) -> int:
    """Remove networks."""
    failed = 0
    for ref in refs:
        try:
            session.engine.remove_network(ref)
            say(ref)
        except HiveletError as error:
            if force and type(error).__name__ == "NotFound":
                continue
            complain(error.message)
            failed = 1
    return failed


@network.command()
@click.option("--ip", default="", help="IPv4 address, such as 172.30.100.104.")
@click.option("--ip6", default="", help="IPv6 address, such as 2001:db8::33.")
@click.option("--mac-address", default="", help="MAC address.")
@click.option("--alias", multiple=True, help="Another name of the container in the network.")
@click.option("--link", multiple=True, metavar="CONTAINER[:ALIAS]", help="Link.")
@click.option("--link-local-ip", multiple=True, help="Link-local address.")
@click.option("--driver-opt", multiple=True, help="Option of the driver: KEY=VALUE.")
@click.option("--gw-priority", default=0, help="The network with the highest has the gateway.")
@click.argument("ref", metavar="NETWORK")
@click.argument("container", metavar="CONTAINER")
@pass_session
def connect(session: Session, /, ref: str, container: str, **options: Any) -> None:
    """Let a container join a network, also while it runs."""
    from hivelet.cli.containers.making.endpoints import endpoint_settings

    fields = {name.replace("_", "-"): value for name, value in options.items()}
    try:
        settings = endpoint_settings(fields)
    except ValueError as error:
        raise InvalidParameter(f"--driver-opt: {error}") from error
    session.engine.connect_network(ref, container, settings)


@network.command()
@click.option("-f", "--force", is_flag=True, help="Also one that is not there any more.")
@click.argument("ref", metavar="NETWORK")
@click.argument("container", metavar="CONTAINER")
@pass_session
def disconnect(session: Session, ref: str, container: str, force: bool) -> None:
    """Take a container out of a network."""
    session.engine.disconnect_network(ref, container, force=force)


@network.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@prune_filter_option
@pass_session
def prune(session: Session, force: bool, filters: dict[str, list[str]]) -> None:
    """Remove the networks that no container uses."""
    if not force:
        warn("this removes all networks that no container uses")
        click.confirm("Go on?", abort=True)
    removed = session.engine.prune_networks(filters).get("NetworksDeleted") or []
    if removed:
        say("Deleted Networks:")
        for name in removed:
            say(name)
        say()


def _pairs(values: tuple[str, ...]) -> dict[str, str]:
    try:
        return dict(parse_key_value(value) for value in values)
    except ValueError as error:
        raise InvalidParameter(str(error)) from error


def _pools(options: Json) -> list[Json]:
    """One pool for each subnet, with the gateway, range and reserved addresses that lie in it."""
    from ipaddress import ip_address, ip_network

    try:
        subnets = [(text, ip_network(text, strict=False)) for text in options["subnet"]]
        pools: list[Json] = [{"Subnet": text} for text, _ in subnets]
        wanted = [("Gateway", text, ip_address(text)) for text in options["gateway"]]
        wanted += [
            ("IPRange", text, ip_network(text, strict=False)[0]) for text in options["ip_range"]
        ]
        reserved = [
            (name, text, ip_address(text)) for name, text in _pairs(options["aux_address"]).items()
        ]
    except ValueError as error:
        raise InvalidParameter(str(error)) from error
    if (wanted or reserved) and not pools:
        raise InvalidParameter(
            "--gateway, --ip-range and --aux-address need a --subnet that they lie in"
        )
    for key, text, address in wanted:
        _pool_of(address, text, subnets, pools)[key] = text
    for name, text, address in reserved:
        _pool_of(address, text, subnets, pools).setdefault("AuxiliaryAddresses", {})[name] = text
    return pools


def _pool_of(address: Any, text: str, subnets: list[tuple[str, Any]], pools: list[Json]) -> Json:
    for (_, subnet), pool in zip(subnets, pools, strict=True):
        if address in subnet:
            return pool
    raise InvalidParameter(
        f"{text} lies in none of the subnets {', '.join(subnet for subnet, _ in subnets)}"
    )
