"""Volumes of the `local` driver: directories, or mounts, that outlive the containers which mount them.

A volume is never removed with a service or a stack; anonymous ones go with the container they were made for.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from weakref import WeakValueDictionary

from hivelet.engine.database import Database
from hivelet.engine.events import EventBus
from hivelet.engine.volumes.mounted import VolumeMounts
from hivelet.errors import Conflict, InvalidParameter, NotFound, System
from hivelet.kit.clock import Clock
from hivelet.kit.failpoints import point
from hivelet.kit.files import ensure_private
from hivelet.kit.host_faults import host_faults
from hivelet.kit.ids import new_hex_id
from hivelet.kit.trees import remove_tree
from hivelet.objects.volume import Volume
from hivelet.objects.volume_options import check_volume_options

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_LONGEST_NAME = 255
"""What a directory can be called."""
_SHOWN = 40


class Volumes:
    """The volumes of this node, kept under `root/NAME/_data`."""

    def __init__(self, root: Path, database: Database, events: EventBus, clock: Clock) -> None:
        self._root = root
        ensure_private(root)
        self._database = database
        self._events = events
        self._clock = clock
        self.mounts = VolumeMounts()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._volumes = {v.name: v for v in database.load("volume", Volume)}

    def list(self) -> list[Volume]:
        """All volumes, by name."""
        return sorted(self._volumes.values(), key=lambda volume: volume.name)

    def get(self, name: str) -> Volume:
        """The volume of that name.

        Raises:
            NotFound: there is none.
        """
        if name not in self._volumes:
            raise NotFound(f"get {name}: no such volume")
        return self._volumes[name]

    def find(self, name: str) -> Volume | None:
        """The volume of that name, None where there is none."""
        return self._volumes.get(name)

    def path(self, name: str) -> Path:
        """Where the volume of that name lies, or would lie."""
        return self._root / name / "_data"

    async def ensure(
        self,
        name: str = "",
        *,
        driver: str = "",
        options: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        anonymous: bool = False,
    ) -> Volume:
        """The volume of that name, created where it is not there; without a name, a new anonymous one.

        Raises:
            InvalidParameter: the name cannot be a volume's, or there are no such options.
            NotFound: another driver than `local`.
        """
        if name in self._volumes:
            return self._volumes[name]
        if name and not _NAME.fullmatch(name):
            raise InvalidParameter(
                f'create {name}: "{name}" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
            )
        if len(name) > _LONGEST_NAME:
            raise InvalidParameter(
                f"create {name[:_SHOWN]}…: the name is longer than {_LONGEST_NAME} characters"
            )
        if driver not in ("", "local"):
            raise NotFound(
                f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found; '
                'hivelet has "local" only'
            )
        chosen = name or new_hex_id()
        async with self._lock(chosen):
            if chosen in self._volumes:
                return self._volumes[chosen]
            volume = self._make(chosen, labels or {}, options or {}, anonymous or not name)
            try:
                await self._database.put("volume", chosen, volume)
            except BaseException:
                # Also where nobody waits for it any more; its directory is taken up by the next one of that name.
                self._database.remove("volume", chosen)
                raise
            self._volumes[chosen] = volume
        self._events.publish("volume", "create", chosen, {"driver": "local"})
        return volume

    def _lock(self, name: str) -> asyncio.Lock:
        """One thing at a time is done to each volume."""
        return self._locks.setdefault(name, asyncio.Lock())

    def _make(
        self, chosen: str, labels: dict[str, str], options: dict[str, str], anonymous: bool
    ) -> Volume:
        try:
            check_volume_options(options)
        except InvalidParameter as error:
            raise InvalidParameter(f"create {chosen}: {error.message}") from error
        data = self.path(chosen)
        with host_faults(f"create {chosen}"):
            data.mkdir(parents=True, exist_ok=True)
        point("volume.made")
        return Volume(
            name=chosen,
            mountpoint=str(data),
            created_at=self._clock.now(),
            labels=labels,
            options=options,
            anonymous=anonymous,
        )

    async def remove(self, name: str, used_by: tuple[str, ...] = ()) -> None:
        """Remove a volume and what is in it.

        Raises:
            NotFound: there is none of that name.
            Conflict: containers `used_by` have it, or something is mounted on it.
        """
        volume = self.get(name)
        if used_by:
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(used_by)}]")
        async with self._lock(name):
            await self.mounts.detach(volume)
            if name not in self._volumes:
                return
            del self._volumes[name]
            self._database.remove("volume", name)
            await self._database.written()
            point("volume.forgotten")
            try:
                await asyncio.to_thread(remove_tree, Path(volume.mountpoint).parent)
            except FileNotFoundError:
                pass  # somebody was quicker; gone is gone
            except OSError as error:
                raise System(
                    f"volume {name} is forgotten, but its files remain: {error}"
                ) from error
        self._events.publish("volume", "destroy", name, {"driver": "local"})
