"""`docker version`, `docker info` and `docker system df` as JSON."""

from __future__ import annotations

from datetime import datetime

from hivelet.convert.build import encode_cache_record
from hivelet.convert.container import encode_summary as encode_container_summary
from hivelet.convert.image import encode_summary as encode_image_summary
from hivelet.convert.shape import Json, empty_to_none, encode, rfc3339
from hivelet.convert.versions import MAXIMUM, MINIMUM, ApiVersion
from hivelet.convert.volume import encode_volume
from hivelet.objects.engine import DiskUsage, EngineInfo, EngineVersion


def encode_version(version: EngineVersion) -> Json:
    """What `GET /version` answers: the engine as first component, then the programs it uses."""
    plain: Json = {
        "ApiVersion": str(MAXIMUM),
        "Arch": version.arch,
        "BuildTime": version.build_time,
        "GitCommit": version.git_commit,
        "GoVersion": f"{version.runtime_name} {version.runtime_version}".strip(),
        "KernelVersion": version.kernel_version,
        "MinAPIVersion": str(MINIMUM),
        "Os": version.os,
    }
    engine = {
        "Name": "Engine",
        "Version": version.version,
        "Details": plain | {"Experimental": "false"},
    }
    others = [
        {"Name": name, "Version": word, "Details": {"GitCommit": ""}}
        for name, word in version.components.items()
    ]
    return plain | {
        "Platform": {"Name": "hivelet"},
        "Components": [engine, *others],
        "Version": version.version,
    }


def encode_info(
    info: EngineInfo, swarm: Json, now: datetime, version: ApiVersion = MAXIMUM
) -> Json:
    """What `GET /info` answers; `swarm` is its swarm part."""
    answer = {
        **_counts(info),
        **_abilities(info),
        **_machine(info, now),
        **_programs(info),
        "Swarm": swarm,
    }
    return answer | _old_words(info) if version < (1, 25) else answer


def _old_words(info: EngineInfo) -> Json:
    """What clients of API 1.24 read: security options are bare names, and there was an execution driver once."""
    names = [option.partition(",")[0].partition("=")[2] for option in info.security_options]
    return {"ExecutionDriver": "<not supported>", "SecurityOptions": names}


def encode_disk_usage(usage: DiskUsage, now: datetime, version: ApiVersion = MAXIMUM) -> Json:
    """What `GET /system/df` answers."""
    virtual_size = version < (1, 44)
    return {
        "LayersSize": usage.layers_size,
        "Images": [encode_image_summary(i, virtual_size=virtual_size) for i in usage.images],
        "Containers": [encode_container_summary(each, now, version) for each in usage.containers],
        "Volumes": [encode_volume(volume) for volume in usage.volumes],
        "BuildCache": [encode_cache_record(record) for record in usage.build_cache],
        "BuilderSize": sum(record.size for record in usage.build_cache),
    }


def _counts(info: EngineInfo) -> Json:
    return {
        "ID": info.id,
        "Containers": info.containers,
        "ContainersRunning": info.containers_running,
        "ContainersPaused": info.containers_paused,
        "ContainersStopped": info.containers_stopped,
        "Images": info.images,
        "NFd": info.open_files,
        "NGoroutines": info.background_tasks,
        "NEventsListener": info.event_listeners,
    }


def _abilities(info: EngineInfo) -> Json:
    return {
        "Plugins": {
            "Volume": info.volume_drivers,
            "Network": info.network_drivers,
            "Authorization": None,
            "Log": info.log_drivers,
        },
        "MemoryLimit": info.memory_limit,
        "SwapLimit": info.swap_limit,
        "KernelMemory": False,
        "KernelMemoryTCP": False,
        "CpuCfsPeriod": info.cpu_cfs,
        "CpuCfsQuota": info.cpu_cfs,
        "CPUShares": info.cpu_shares,
        "CPUSet": info.cpu_set,
        "PidsLimit": info.pids_limit,
        "IPv4Forwarding": info.ipv4_forwarding,
        "BridgeNfIptables": info.bridge_nf_iptables,
        "BridgeNfIp6tables": info.bridge_nf_ip6tables,
        "OomKillDisable": info.oom_kill_disable,
        "LoggingDriver": info.default_log_driver,
        "CgroupDriver": info.cgroup_driver,
        "CgroupVersion": info.cgroup_version,
        "SecurityOptions": info.security_options,
        "ExperimentalBuild": False,
        "LiveRestoreEnabled": info.live_restore,
    }


def _machine(info: EngineInfo, now: datetime) -> Json:
    return {
        "Name": info.name,
        "SystemTime": rfc3339(info.system_time or now),
        "KernelVersion": info.kernel_version,
        "OperatingSystem": info.operating_system,
        "OSVersion": info.os_version,
        "OSType": info.os_type,
        "Architecture": info.architecture,
        "NCPU": info.cpus,
        "MemTotal": info.memory_total,
        "GenericResources": [encode(each) for each in info.generic_resources] or None,
        "Isolation": "",
        "HttpProxy": info.http_proxy,
        "HttpsProxy": info.https_proxy,
        "NoProxy": info.no_proxy,
        "Labels": info.labels,
    }


def _programs(info: EngineInfo) -> Json:
    unknown = {"ID": "", "Expected": ""}
    runtime = info.runtimes.get(info.default_runtime)
    commit = {"ID": runtime.version, "Expected": runtime.version} if runtime else unknown
    return {
        "ServerVersion": info.server_version,
        "Driver": info.storage_driver,
        "DriverStatus": [list(pair) for pair in info.driver_status],
        "DockerRootDir": info.root_dir,
        "Debug": info.debug,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": _registries(info),
        "Runtimes": {name: {"path": one.path} for name, one in info.runtimes.items()},
        "DefaultRuntime": info.default_runtime,
        "InitBinary": info.init_binary,
        "ContainerdCommit": unknown,
        "RuncCommit": commit,
        "InitCommit": unknown,
        "Warnings": empty_to_none(info.warnings),
    }


def _registries(info: EngineInfo) -> Json:
    official = {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True}
    insecure = {
        host: {"Name": host, "Mirrors": [], "Secure": False, "Official": False}
        for host in info.insecure_hosts
    }
    return {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": [*info.insecure_networks, "127.0.0.0/8"],
        "IndexConfigs": {"docker.io": official, **insecure},
        "Mirrors": [],
    }
