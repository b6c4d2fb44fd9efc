"""Volumes: what outlives the containers that mount it."""

from __future__ import annotations

from datetime import datetime

from hivelet.objects.common import Struct


class Volume(Struct, frozen=True, kw_only=True):
    """A volume of this node. `anonymous` ones were made for one container and go with it.

    `size` and `ref_count` are filled in for `system df` alone; -1 means "not looked up", as in the API.
    """

    name: str
    driver: str = "local"
    mountpoint: str = ""
    created_at: datetime
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    anonymous: bool = False
    scope: str = "local"
    size: int = -1
    ref_count: int = -1


class VolumeRequest(Struct, frozen=True, kw_only=True):
    """A volume to be made (API: `VolumeCreateOptions`); without a name it gets one of its own."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = {}
    labels: dict[str, str] = {}
