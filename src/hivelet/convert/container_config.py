"""`Config` and `HostConfig` of a container, with every key that Docker writes."""

from __future__ import annotations

from hivelet.convert.shape import Json, empty_to_none, encode
from hivelet.objects.container import ContainerConfig, HostConfig
from hivelet.objects.hidden_paths import MASKED_PATHS, READONLY_PATHS

_HOST_DEFAULTS: Json = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "default",
    "PortBindings": {},
    "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "host",
    "Dns": None,
    "DnsOptions": None,
    "DnsSearch": None,
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 67108864,
    "Runtime": "runc",
    "ConsoleSize": [0, 0],
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": None,
    "BlkioDeviceReadBps": None,
    "BlkioDeviceWriteBps": None,
    "BlkioDeviceReadIOps": None,
    "BlkioDeviceWriteIOps": None,
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": None,
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "KernelMemory": 0,
    "KernelMemoryTCP": 0,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": [],
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "MaskedPaths": None,
    "ReadonlyPaths": None,
}
"""Docker's answer for a container of which nothing special was asked, in its order."""


def encode_container_config(config: ContainerConfig) -> Json:
    """A container's or image's `Config`."""
    always: Json = {
        "Hostname": config.hostname,
        "Domainname": config.domainname,
        "User": config.user,
        "AttachStdin": config.attach_stdin,
        "AttachStdout": config.attach_stdout,
        "AttachStderr": config.attach_stderr,
        "Tty": config.tty,
        "OpenStdin": config.open_stdin,
        "StdinOnce": config.stdin_once,
        "Env": empty_to_none(config.env),
        "Cmd": config.cmd,
        "Image": config.image,
        "Volumes": empty_to_none(config.volumes),
        "WorkingDir": config.working_dir,
        "Entrypoint": config.entrypoint,
        "OnBuild": config.on_build,
        "Labels": empty_to_none(config.labels),
    }
    return {**encode(config), **always}


def encode_host_config(config: HostConfig) -> Json:
    """A container's `HostConfig`."""
    given = {key: value for key, value in encode(config).items() if value is not None}
    if not config.privileged:
        given.setdefault("MaskedPaths", list(MASKED_PATHS))
        given.setdefault("ReadonlyPaths", list(READONLY_PATHS))
    return (
        _HOST_DEFAULTS
        | given
        | {
            "PortBindings": {
                name: [{"HostIp": each.host_ip, "HostPort": each.host_port} for each in bindings]
                for name, bindings in config.port_bindings.items()
            },
            "LogConfig": {"Type": config.log_config.type, "Config": config.log_config.config},
            "RestartPolicy": {
                "Name": config.restart_policy.name,
                "MaximumRetryCount": config.restart_policy.maximum_retry_count,
            },
        }
    )
