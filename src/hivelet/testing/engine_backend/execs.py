"""Commands in containers."""

from __future__ import annotations

from hivelet.errors import Conflict, NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.objects.exec import Exec, ExecConfig, ExecStart
from hivelet.testing.engine_backend.containers import FakeContainers
from hivelet.testing.engine_backend.streams import FakeStreams


class FakeExecs(FakeContainers):
    """Commands answer their input in capitals."""

    async def create_exec(self, ref: str, config: ExecConfig) -> str:
        """Note it."""
        container = await self.get_container(ref)
        found = Exec(id=new_hex_id(), container_id=container.id, config=config)
        self.execs[found.id] = found
        return found.id

    async def get_exec(self, exec_id: str) -> Exec:
        """One exec."""
        if exec_id not in self.execs:
            raise NotFound(f"No such exec instance: {exec_id}")
        return self.execs[exec_id]

    async def check_exec(self, exec_id: str) -> None:
        """Refuse one that was started."""
        if (await self.get_exec(exec_id)).started:
            raise Conflict(f"Error: Exec command {exec_id} has already run")

    async def start_exec(self, exec_id: str, start: ExecStart) -> FakeStreams | None:
        """One that answers its input in capitals, and ends with it."""
        found = await self.get_exec(exec_id)
        self.execs[exec_id] = found.replaced(started=True, exit_code=0)
        if start.detach:
            return None
        self.streams = FakeStreams(tty=found.config.tty, takes_input=found.config.attach_stdin)
        return self.streams

    async def resize_exec(self, exec_id: str, height: int, width: int) -> None:
        """Only remembered."""
        self.calls.append(("resize", exec_id, height, width))
