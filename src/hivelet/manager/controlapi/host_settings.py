"""Whether the settings that join a container to its host can be had. Pure; Docker has none of them for services.

What no node could ever give is refused with the service; what one node lacks (a device, a kernel feature) is told by its task.
"""

from __future__ import annotations

import re

from hivelet.manager.controlapi.rpc import invalid
from hivelet.objects.container import HostSettings

_IPC = ("", "host", "private", "shareable", "none")
_PID = ("", "host")
_CGROUPNS = ("", "host", "private")
_SECURITY = frozenset({"no-new-privileges", "seccomp", "apparmor", "label"})
_RULE = re.compile(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}")
_MIN_SHM = 4096


def validate_host_settings(settings: HostSettings) -> None:
    """Refuse what can be had on no node.

    Raises:
        InvalidParameter: naming the field and what it takes.
    """
    for name, value, known in (
        ("IpcMode", settings.ipc_mode, _IPC),
        ("PidMode", settings.pid_mode, _PID),
        ("UTSMode", settings.uts_mode, ("", "host")),
        ("UsernsMode", settings.userns_mode, ("", "host")),
        ("CgroupnsMode", settings.cgroupns_mode, _CGROUPNS),
    ):
        if value not in known:
            choices = ", ".join(choice for choice in known if choice)
            raise invalid(f'ContainerSpec: {name} "{value}" is not one of {choices}')
    _check_sizes(settings)
    _check_lists(settings)


def _check_sizes(settings: HostSettings) -> None:
    if 0 != settings.shm_size < _MIN_SHM:
        raise invalid(f"ContainerSpec: ShmSize {settings.shm_size} must be at least {_MIN_SHM}")
    if ".." in settings.cgroup_parent.split("/"):
        raise invalid(
            f'ContainerSpec: CgroupParent "{settings.cgroup_parent}" leads out of hivelet\'s cgroup'
        )


def _check_lists(settings: HostSettings) -> None:
    for option in settings.security_opt:
        name = re.split("[=:]", option, maxsplit=1)[0]
        if name not in _SECURITY:
            choices = ", ".join(sorted(_SECURITY))
            raise invalid(f'ContainerSpec: SecurityOpt "{option}" is not one of {choices}')
    for rule in settings.device_cgroup_rules:
        if not _RULE.fullmatch(rule):
            raise invalid(
                f'ContainerSpec: DeviceCgroupRules: "{rule}" is no rule; write it like "c 7:* rwm"'
            )
    for device in settings.devices:
        if not device.path_on_host.startswith("/"):
            raise invalid(f'ContainerSpec: device "{device.path_on_host}" is not an absolute path')
