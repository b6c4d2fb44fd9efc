"""The answers that are no struct of ours: which keys are always there, and what is in them.

What an answer holds beside them depends on the object, as in Docker: `hivelet.convert` leaves out what is empty.
"""

from __future__ import annotations

from hivelet.api.openapi.schemas import or_null, record, several, struct
from hivelet.objects.cluster import ClusterSpec
from hivelet.objects.node import NodeSpec
from hivelet.objects.secret import ConfigSpec, SecretSpec
from hivelet.objects.service import ServiceSpec
from hivelet.objects.task import TaskSpec

_INDEX = record("Index:integer")
_META = "ID:text CreatedAt:time UpdatedAt:time"

CREATED = record("Id:text")
CREATED_WITH_ID = record("ID:text")
CREATED_CONTAINER = record("Id:text Warnings:texts?")
CREATED_SERVICE = record("ID:text Warnings:texts?")
CREATED_NETWORK = record("Id:text Warning:text")
WARNINGS = record("Warnings:texts?")

LOGIN = record("IdentityToken:text Status:text")
VERSION = record(
    "Platform:object Components:objects Version:text ApiVersion:text MinAPIVersion:text Arch:text BuildTime:text "
    "GitCommit:text GoVersion:text KernelVersion:text Os:text"
)
INFO = record(
    "ID:text Name:text Containers:integer ContainersRunning:integer Images:integer Driver:text NCPU:integer MemTotal:integer "
    "OperatingSystem:text OSType:text Architecture:text ServerVersion:text Swarm:object Warnings:texts?"
)
DISK_USAGE = record(
    "LayersSize:integer Images:objects Containers:objects Volumes:objects BuildCache:objects BuilderSize:integer"
)
SWARM = record(
    f"{_META} TLSInfo:object RootRotationInProgress:flag DefaultAddrPool:texts SubnetSize:integer "
    "DataPathPort:integer JoinTokens:object",
    Version=_INDEX,
    Spec=struct(ClusterSpec),
)
UNLOCK_KEY = record("UnlockKey:text")
UNLOCK = record("UnlockKey:text")
NODE = record(f"{_META} Description:object Status:object", Version=_INDEX, Spec=struct(NodeSpec))
SERVICE = record(f"{_META} Endpoint:object", Version=_INDEX, Spec=struct(ServiceSpec))
TASK = record(
    f"{_META} ServiceID:text Status:object DesiredState:text", Version=_INDEX, Spec=struct(TaskSpec)
)
SECRET = record(_META, Version=_INDEX, Spec=struct(SecretSpec))
CONFIG = record(_META, Version=_INDEX, Spec=struct(ConfigSpec))
NETWORK = record(
    "Name:text Id:text Created:time Scope:text Driver:text EnableIPv6:flag IPAM:object Internal:flag Attachable:flag "
    "Ingress:flag ConfigFrom:object ConfigOnly:flag Containers:object? Options:object? Labels:object?"
)
CONTAINER_SUMMARY = record(
    "Id:text Names:texts Image:text ImageID:text Command:text Created:integer State:text Status:text "
    "Ports:objects Labels:object HostConfig:object NetworkSettings:object Mounts:objects"
)
CONTAINER = record(
    "Id:text Created:time Path:text Args:texts State:object Image:text Name:text RestartCount:integer Driver:text "
    "HostConfig:object Mounts:objects Config:object NetworkSettings:object"
)
PROCESSES = or_null(
    record("", Titles=several({"type": "string"}), Processes=several(several({"type": "string"})))
)
EXEC = record(
    "ID:text Running:flag ExitCode:any ProcessConfig:object OpenStdin:flag OpenStdout:flag OpenStderr:flag "
    "CanRemove:flag ContainerID:text DetachKeys:text Pid:integer"
)
CHANGES = or_null(several(record("Path:text Kind:integer")))
IMAGE_SUMMARY = record(
    "Id:text ParentId:text RepoTags:texts? RepoDigests:texts? Created:integer Size:integer SharedSize:integer "
    "Labels:object? Containers:integer"
)
IMAGE = record(
    "Id:text RepoTags:texts RepoDigests:texts Parent:text Comment:text Created:time Author:text Architecture:text "
    "Os:text Size:integer Config:any GraphDriver:object RootFS:object Metadata:object"
)
IMAGE_STEP = record("Id:text Created:integer CreatedBy:text Tags:texts? Size:integer Comment:text")
REMOVALS = several(record("Untagged?:text Deleted?:text"))
DISTRIBUTION = record("Descriptor:object Platforms:objects")
VOLUME = record(
    "CreatedAt:time Driver:text Labels:object? Mountpoint:text Name:text Options:object? Scope:text"
)
VOLUMES = record("Warnings:texts?", Volumes=several(VOLUME))

PRUNED_BUILDS = record("CachesDeleted:texts? SpaceReclaimed:integer")
PRUNED_CONTAINERS = record("ContainersDeleted:texts? SpaceReclaimed:integer")
PRUNED_IMAGES = record("SpaceReclaimed:integer", ImagesDeleted=or_null(REMOVALS))
PRUNED_NETWORKS = record("NetworksDeleted:texts?")
PRUNED_VOLUMES = record("VolumesDeleted:texts? SpaceReclaimed:integer")
