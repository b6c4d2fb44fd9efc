"""Execs as JSON."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hivelet.convert.detach_keys import parse_detach_keys
from hivelet.convert.shape import Json
from hivelet.errors import InvalidParameter
from hivelet.objects.exec import Exec


def encode_exec(found: Exec) -> Json:
    """An exec as `GET /exec/{id}/json` answers it."""
    config = found.config
    process: Json = {
        "tty": config.tty,
        "entrypoint": config.cmd[0],
        "arguments": config.cmd[1:],
        "privileged": config.privileged,
    }
    if config.user:
        process["user"] = config.user
    return {
        "ID": found.id,
        "Running": found.running,
        "ExitCode": found.exit_code,
        "ProcessConfig": process,
        "OpenStdin": config.attach_stdin,
        "OpenStderr": config.attach_stderr,
        "OpenStdout": config.attach_stdout,
        # Docker's own mark for what it forgets by and by.
        "CanRemove": found.exit_code is not None,
        "ContainerID": found.container_id,
        # Bytes, in Docker's answer as JSON has them.
        "DetachKeys": b64encode(parse_detach_keys(config.detach_keys)).decode()
        if config.detach_keys
        else "",
        "Pid": found.pid,
    }


def console_size(data: Any) -> tuple[int, int] | None:
    """Height and width as clients send them; None where they say nothing.

    Raises:
        InvalidParameter: they are no two numbers that a terminal can have.
    """
    if not data or data == [0, 0]:
        return None
    if len(data) != 2 or not all(0 <= part <= 0xFFFF for part in data):
        raise InvalidParameter("ConsoleSize must be the height and the width of a terminal")
    return data[0], data[1]
