"""Whether the container of a service can run anywhere at all. Pure.

dockerd takes most of this when the service is created, and its tasks are rejected one after the other; here it is refused
at once. What depends on a node (a directory, a device, a user of the image) stays the task's to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hivelet.errors import HiveletError, InvalidParameter, NotImplemented
from hivelet.manager.controlapi.rpc import invalid, unimplemented
from hivelet.network.dns.records import SERIAL_NAME
from hivelet.objects.capability_names import normalized_capabilities
from hivelet.objects.container import Mount, Ulimit
from hivelet.objects.mount_rules import check_mount
from hivelet.objects.name_rules import (
    check_extra_host,
    check_hostname,
    check_nameserver,
    check_word,
)
from hivelet.objects.signals import parse_signal
from hivelet.objects.task import ContainerSpec, DnsConfig

_OOM_SCORES = range(-1000, 1001)
_ULIMITS = frozenset(
    [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ]
)


def check_container(spec: ContainerSpec) -> None:
    """Refuse what no task could run; `spec` has its templates filled in.

    Raises:
        InvalidParameter: names the field and the value.
        NotImplemented: a volume driver that hivelet does not have.
    """
    if spec.isolation not in {"", "default"}:
        raise invalid(f'ContainerSpec: isolation "{spec.isolation}" is for Windows; use default')
    if spec.privileges is not None and spec.privileges.credential_spec is not None:
        raise invalid("ContainerSpec: a credential spec is for Windows containers; leave it out")
    for check in _CHECKS:
        try:
            check(spec)
        except InvalidParameter as error:
            raise invalid(f"ContainerSpec: {error.message}") from error
        except NotImplemented as error:
            raise unimplemented(f"ContainerSpec: {error.message}") from error


def check_aliases(aliases: Iterable[str]) -> None:
    """Refuse a network alias that is no name, or the one that resolvers have for themselves.

    Raises:
        InvalidParameter: names the alias.
    """
    try:
        for alias in aliases:
            check_word("network alias", alias)
            if alias.lower().rstrip(".") == SERIAL_NAME:
                raise InvalidParameter(
                    f'invalid network alias "{alias}": hivelet uses it itself; take another one'
                )
    except HiveletError as error:
        raise invalid(f"TaskSpec: {error.message}") from error


def _check_mounts(spec: ContainerSpec) -> None:
    for mount in spec.mounts:
        check_mount(mount)
        _check_driver(mount)


def _check_driver(mount: Mount) -> None:
    driver = mount.volume_options.driver_config if mount.volume_options else None
    if driver is not None and driver.name not in ("", "local"):
        raise NotImplemented(
            f'volume driver "{driver.name}" is not available; hivelet has "local" only'
        )


def _check_process(spec: ContainerSpec) -> None:
    if spec.stop_signal:
        parse_signal(spec.stop_signal)
    if (spec.stop_grace_period or 0) < 0:
        raise InvalidParameter("StopGracePeriod cannot be negative")
    if spec.dir and not spec.dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{spec.dir}' is invalid, it needs to be an absolute path"
        )
    if spec.oom_score_adj not in _OOM_SCORES:
        raise InvalidParameter(
            f"Invalid value {spec.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    for entry in spec.env:
        if not entry or entry.startswith("="):
            raise InvalidParameter(f"invalid environment variable: {entry}")


def _check_capabilities(spec: ContainerSpec) -> None:
    for field, names in (("CapAdd", spec.capability_add), ("CapDrop", spec.capability_drop)):
        try:
            normalized_capabilities(names)
        except InvalidParameter as error:
            raise InvalidParameter(f"invalid {field}: {error.message}") from error


def _check_ulimits(spec: ContainerSpec) -> None:
    for limit in spec.ulimits:
        if limit.name not in _ULIMITS:
            raise InvalidParameter(f"invalid ulimit type: {limit.name}")
        if _amount(limit, hard=False) > _amount(limit, hard=True):
            raise InvalidParameter(
                "ulimit soft limit must be less than or equal to hard limit: "
                f"{limit.soft} > {limit.hard} ({limit.name})"
            )


def _amount(limit: Ulimit, *, hard: bool) -> float:
    value = limit.hard if hard else limit.soft
    return float("inf") if value < 0 else value


def _check_names(spec: ContainerSpec) -> None:
    check_hostname(spec.hostname)
    for entry in spec.hosts:
        words = entry.split()
        if len(words) > 1 and entry.isprintable():
            for name in words[1:]:
                check_extra_host(name, words[0])
        else:
            name, colon, address = entry.partition(":")
            if not colon:
                raise InvalidParameter(f"bad format for add-host: {entry!r}")
            check_extra_host(name, address)
    dns = spec.dns_config or DnsConfig()
    for server in dns.nameservers:
        check_nameserver(server)
    for domain in dns.search:
        check_word("search domain", domain)
    for option in dns.options:
        check_word("DNS option", option)


_CHECKS: tuple[Callable[[ContainerSpec], None], ...] = (
    _check_mounts,
    _check_process,
    _check_capabilities,
    _check_ulimits,
    _check_names,
)
