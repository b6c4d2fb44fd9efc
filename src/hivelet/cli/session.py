"""What every command needs: the daemon, the time, and where to print. One `Session` lives as long as the process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hivelet.client.address import Asked
    from hivelet.client.engine import Engine


@dataclass
class Session:
    """The surroundings of one invocation. Tests replace any part of it."""

    host: str | None = None
    daemon: Mapping[str, Any] = field(default_factory=dict)
    """What the command line says of the daemon besides its host: `hivelet.client.address.Asked`."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    unattended: bool = False
    """Whether nobody may be asked anything, nor told anything but the result."""
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    @cached_property
    def engine(self) -> Engine:
        """The daemon; connected to when the first request is made."""
        from hivelet.client.address import resolve_address
        from hivelet.client.engine import Engine
        from hivelet.client.transport import Transport

        address = resolve_address(self.asked, self.environment)
        return Engine(Transport(address, unattended=self.unattended))

    @property
    def asked(self) -> Asked:
        """Which daemon the command line asks for."""
        from hivelet.client.address import Asked

        return Asked(host=self.host, **self.daemon)

    def close(self) -> None:
        """Close the connection to the daemon, where there is one."""
        if "engine" in self.__dict__:
            self.engine.transport.close()

    def now(self) -> datetime:
        """The present moment. Not `hivelet.kit.clock`, because that imports asyncio: 60 ms for a command line."""
        return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251

    @property
    def interactive(self) -> bool:
        """Whether a person looks at the output as it comes."""
        return sys.stdout.isatty() and self.environment.get("TERM") != "dumb"


pass_session = click.make_pass_decorator(Session, ensure=True)


def paint(text: str, colour: str) -> str:
    """`text` in a colour, unless NO_COLOR is set; click leaves colours out where no terminal is."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour, bold=True)


def warn(message: str) -> None:
    """A warning on the standard error: it never changes the exit code."""
    click.echo(f"{paint('Warning:', 'yellow')} {message}", err=True)


def say(message: str = "") -> None:
    """A line on the standard output."""
    click.echo(message)


def complain(message: str) -> None:
    """One thing that went wrong of several that were asked for; the command goes on and fails at its end."""
    click.echo(f"{paint('Error:', 'red')} {message}", err=True)
