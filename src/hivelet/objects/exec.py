"""Further processes in containers: what one is asked to be, and what has become of it."""

from __future__ import annotations

from msgspec import field

from hivelet.objects.common import ContainerId, Struct


class ExecConfig(Struct, frozen=True, kw_only=True):
    """A further process as it is asked for (API: `ExecConfig`). `console_size` is height and width."""

    user: str = ""
    privileged: bool = False
    tty: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    env: list[str] = []
    working_dir: str = ""
    cmd: list[str] = []
    console_size: list[int] = []


class ExecStart(Struct, frozen=True, kw_only=True):
    """How a further process is started: attached to or not."""

    detach: bool = False
    tty: bool = False
    console_size: list[int] = []


class Exec(Struct, frozen=True, kw_only=True):
    """A further process of a container; `exit_code` is None until it has ended, or where it never started."""

    id: str = field(name="ID")
    container_id: ContainerId = field(name="ContainerID")
    config: ExecConfig
    started: bool = False
    running: bool = False
    exit_code: int | None = None
    pid: int = 0
