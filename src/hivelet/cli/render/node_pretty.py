"""`node inspect --pretty`. Pure."""

from __future__ import annotations

from typing import Any, TypeAlias

from hivelet.cli.render.human import binary_size, go_time

Json: TypeAlias = dict[str, Any]


def render_node(node: Json) -> str:
    """What people want to know of a node."""
    spec, status = node["Spec"], node.get("Status") or {}
    description = node.get("Description") or {}
    platform, resources = description.get("Platform") or {}, description.get("Resources") or {}
    engine, manager = description.get("Engine") or {}, node.get("ManagerStatus")
    lines = [f"ID:\t\t\t{node['ID']}"]
    if spec.get("Name"):
        lines.append(f"Name:\t\t\t{spec['Name']}")
    if spec.get("Labels"):
        lines += [
            "Labels:",
            *(f" - {key}={value}" for key, value in sorted(spec["Labels"].items())),
        ]
    lines += [
        f"Hostname:              \t{description.get('Hostname', '')}",
        f"Joined at:             \t{go_time(node.get('CreatedAt', '')).replace(' UTC', ' utc')}",
        "Status:",
        f" State:\t\t\t{status.get('State', '').capitalize()}",
    ]
    if status.get("Message"):
        lines.append(f" Message:              \t{status['Message'].capitalize()}")
    lines += [
        f" Availability:         \t{spec.get('Availability', '').capitalize()}",
        f" Address:\t\t{status.get('Addr', '')}",
    ]
    if manager is not None:
        lines += [
            "Manager Status:",
            f" Address:\t\t{manager.get('Addr', '')}",
            f" Raft Status:\t\t{manager.get('Reachability', '').capitalize()}",
            f" Leader:\t\t{'Yes' if manager.get('Leader') else 'No'}",
        ]
    lines += [
        "Platform:",
        f" Operating System:\t{platform.get('OS', '')}",
        f" Architecture:\t\t{platform.get('Architecture', '')}",
        "Resources:",
        f" CPUs:\t\t\t{resources.get('NanoCPUs', 0) // 1_000_000_000}",
        f" Memory:\t\t{binary_size(resources.get('MemoryBytes', 0))}",
        *_plugins(engine),
        f"Engine Version:\t\t{engine.get('EngineVersion', '')}",
        *_tls(description.get("TLSInfo") or {}),
    ]
    return "\n".join(lines)


def _plugins(engine: Json) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for plugin in engine.get("Plugins") or []:
        kinds.setdefault(plugin["Type"], []).append(plugin["Name"])
    if not kinds:
        return []
    return [
        "Plugins:",
        *(f" {kind}:\t\t{', '.join(sorted(names))}" for kind, names in sorted(kinds.items())),
    ]


def _tls(tls: Json) -> list[str]:
    if not tls.get("TrustRoot"):
        return []
    return [
        "TLS Info:",
        " TrustRoot:",
        tls["TrustRoot"],
        f" Issuer Subject:\t{tls.get('CertIssuerSubject', '')}",
        f" Issuer Public Key:\t{tls.get('CertIssuerPublicKey', '')}",
    ]
