"""The long form of each key that can be written in several ways: one shape for everything, numbers for durations and sizes. Pure.

What is written in the long form already stays as it is, with its own keys converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hivelet.compose.env_files import RAW
from hivelet.compose.ports import parse_port, parse_published
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import format_number, parse_mode, parse_size, parse_swap
from hivelet.compose.volumes import parse_volume
from hivelet.kit.durations import parse_duration

Json: TypeAlias = dict[str, Any]
"""A part of a file in its long form; `validate` has seen to its types."""


def text_of(value: Any) -> str:
    """A scalar as the docker CLI turns it into text; nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else format_number(value)


def text_map(value: Any) -> dict[str, str]:
    """A mapping of names to texts, which may be written as a list of NAME=TEXT."""
    if isinstance(value, list):
        pairs = (item.partition("=") for item in value)
        return {name: text for name, _, text in pairs}
    return {name: text_of(item) for name, item in value.items()}


def _variables(value: Any) -> dict[str, str | None]:
    if isinstance(value, list):
        pairs = (item.partition("=") for item in value)
        return {name: text if equals else None for name, equals, text in pairs}
    return {name: None if item is None else text_of(item) for name, item in value.items()}


def _strings(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [text_of(item) for item in value]


def _words(value: Any) -> list[str]:
    return split_words(value) if isinstance(value, str) else list(value)


def _hosts(value: Any) -> list[str]:
    if isinstance(value, dict):
        pairs = ((name, item if isinstance(item, list) else [item]) for name, item in value.items())
        return sorted(
            f"{name}:{text_of(item)}" for name, items in pairs for item in items if item is not None
        )
    return [_colon_form(item) for item in value]


def _colon_form(entry: str) -> str:
    """`host=address`, which today's specification has too, as `host:address`."""
    name, equals, address = entry.partition("=")
    return f"{name}:{address.strip('[]')}" if equals and ":" not in name else entry


def _references(value: Any) -> list[Json]:
    return [
        {"source": entry} if isinstance(entry, str) else with_converted(entry, mode=_mode)
        for entry in value
    ]


def _mode(value: Any) -> int:
    return parse_mode(value) if isinstance(value, str) else int(value)


def _named(value: Any) -> dict[str, Any]:
    return dict.fromkeys(value) if isinstance(value, list) else dict(value)


def _service_networks(value: Any) -> dict[str, Any]:
    networks = _named(value)
    return {
        name: None if entry is None else with_converted(entry, driver_opts=text_map)
        for name, entry in networks.items()
    }


def _dependencies(value: Any) -> dict[str, Json]:
    if isinstance(value, list):
        return {name: {"condition": "service_started"} for name in value}
    return dict(value)


def _env_file(value: Any) -> list[Json]:
    entries = [value] if isinstance(value, str) else value
    return [
        {"path": entry, "format": RAW} if isinstance(entry, str) else dict(entry)
        for entry in entries
    ]


def _ports(value: Any) -> list[Json]:
    result: list[Json] = []
    for entry in value:
        if isinstance(entry, dict):
            result.append(with_converted(entry, published=lambda port: parse_published(str(port))))
            continue
        for port in parse_port(text_of(entry)):
            long: Json = {"mode": "ingress", "target": port.target, "protocol": port.protocol}
            if port.published:
                long["published"] = port.published
            if port.host_ip:
                long["host_ip"] = port.host_ip
            result.append(long)
    return result


def long_mount(text: str) -> Json:
    """A mount that is written as SOURCE:TARGET:OPTIONS."""
    short = parse_volume(text)
    mount: Json = {"type": short.type, "target": short.target}
    if short.source:
        mount["source"] = short.source
    if short.read_only:
        mount["read_only"] = True
    if short.nocopy:
        mount["volume"] = {"nocopy": True}
    if short.propagation:
        mount["bind"] = {"propagation": short.propagation}
    return mount


def _size(value: Any) -> int:
    return parse_size(value) if isinstance(value, str) else int(value)


def long_tmpfs(value: Json) -> Json:
    """The options of a tmpfs."""
    return with_converted(value, size=_size, mode=_mode)


def _build(value: Any) -> Json:
    if isinstance(value, str):
        return {"context": value}
    maps = dict.fromkeys(("labels", "additional_contexts"), text_map)
    lists = dict.fromkeys(("no_cache_filter",), _strings)
    texts = dict.fromkeys(("provenance", "sbom", "shm_size"), text_of)
    return with_converted(
        value,
        args=_variables,
        ssh=lambda given: _variables([given] if isinstance(given, str) else given),
        extra_hosts=_hosts,
        secrets=_references,
        **maps,
        **lists,
        **texts,
    )


def _healthcheck(value: Json) -> Json:
    def test(command: Any) -> list[str]:
        return ["CMD-SHELL", command] if isinstance(command, str) else list(command)

    durations = dict.fromkeys(
        ("interval", "timeout", "start_period", "start_interval"), parse_duration
    )
    return with_converted(value, test=test, **durations)


def _deploy(value: Json) -> Json:
    amounts: Callable[[Json], Json] = lambda part: with_converted(part, cpus=text_of, memory=_size)  # noqa: E731
    update: Callable[[Json], Json] = lambda part: with_converted(  # noqa: E731
        part, delay=parse_duration, monitor=parse_duration, max_failure_ratio=float
    )
    return with_converted(
        value,
        labels=text_map,
        resources=lambda part: with_converted(part, limits=amounts, reservations=amounts),
        restart_policy=lambda part: with_converted(
            part, delay=parse_duration, window=parse_duration
        ),
        update_config=update,
        rollback_config=update,
    )


def with_converted(part: Json, **converters: Callable[[Any], Any]) -> Json:
    """A copy of `part` with some of its keys converted."""
    return {
        key: converters[key](value) if key in converters else value for key, value in part.items()
    }


SERVICE_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "annotations": text_map,
    "build": _build,
    "command": _words,
    "configs": _references,
    "cpus": text_of,
    "depends_on": _dependencies,
    "deploy": _deploy,
    "dns": _strings,
    "dns_search": _strings,
    "entrypoint": _words,
    "env_file": _env_file,
    "environment": _variables,
    "expose": _strings,
    "extends": lambda value: {"service": value} if isinstance(value, str) else dict(value),
    "extra_hosts": _hosts,
    "group_add": _strings,
    "healthcheck": _healthcheck,
    "label_file": _strings,
    "labels": text_map,
    "logging": lambda value: with_converted(value, options=text_map),
    "mem_limit": _size,
    "mem_reservation": _size,
    "memswap_limit": lambda value: parse_swap(str(value)),
    "networks": _service_networks,
    "ports": _ports,
    "secrets": _references,
    "shm_size": text_of,
    "stop_grace_period": parse_duration,
    "sysctls": text_map,
    "tmpfs": _strings,
}
