"""Names for ids: how services and nodes are called, read once for each command."""

from __future__ import annotations

from typing import Any, TypeAlias

from hivelet.cli.session import Session

Json: TypeAlias = dict[str, Any]


def service_names(session: Session, *, resolve: bool = True) -> dict[str, str]:
    """Names of all services by id; empty where ids shall stay ids."""
    return (
        {service["ID"]: service["Spec"]["Name"] for service in session.engine.services()}
        if resolve
        else {}
    )


def node_names(session: Session, *, resolve: bool = True) -> dict[str, str]:
    """Names of all nodes by id: the one the user gave, else the host's."""
    if not resolve:
        return {}
    return {
        node["ID"]: node["Spec"].get("Name") or (node.get("Description") or {}).get("Hostname", "")
        for node in session.engine.nodes()
    }
