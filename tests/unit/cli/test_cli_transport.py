"""The client against a socket: categories of errors, and what a user reads when nobody answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

from hivelet.client.address import resolve_address
from hivelet.client.engine import Engine
from hivelet.client.transport import DaemonUnreachable, Transport
from hivelet.errors import (
    Conflict,
    HiveletError,
    InvalidParameter,
    NotASwarmManager,
    NotFound,
    NotImplemented,
    System,
    Unavailable,
)


def connect(daemon: FakeDaemon) -> Engine:
    return Engine(Transport(resolve_address(daemon.host, {})))


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (400, InvalidParameter),
        (404, NotFound),
        (409, Conflict),
        (500, System),
        (501, NotImplemented),
        (503, Unavailable),
    ],
)
def test_status_becomes_category(
    daemon: FakeDaemon, status: int, category: type[HiveletError]
) -> None:
    daemon.answers["GET", "/info"] = (status, {"message": "as it was said"})
    engine = connect(daemon)
    with pytest.raises(category, match="as it was said"):
        engine.info()
    engine.transport.close()


def test_not_a_manager(daemon: FakeDaemon) -> None:
    daemon.swarm = "inactive"
    engine = connect(daemon)
    with pytest.raises(NotASwarmManager):
        engine.services()
    engine.transport.close()


def test_version_is_the_newest_that_both_know(daemon: FakeDaemon) -> None:
    engine = connect(daemon)
    assert engine.transport.api_version == "1.47"
    engine.transport.close()


def test_connection_is_kept_and_made_anew_when_the_daemon_has_restarted(daemon: FakeDaemon) -> None:
    engine = connect(daemon)
    engine.info()
    first = engine.transport._idle
    engine.info()
    assert engine.transport._idle is first
    first.sock.shutdown(2)
    assert engine.info()["Name"] == "host1"
    engine.transport.close()


def test_nobody_there(tmp_path: Path) -> None:
    engine = Engine(Transport(resolve_address(f"unix://{tmp_path}/none", {})))
    with pytest.raises(DaemonUnreachable) as caught:
        engine.info()
    assert caught.value.message == (
        f"no daemon answers at unix://{tmp_path}/none: there is no such socket; start it with `hivelet daemon` or "
        "`systemctl start hivelet`, or name another address with -H or DOCKER_HOST"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_permission_denied(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hivelet.client.dial.UnixConnection.connect", refuse)
    with pytest.raises(
        DaemonUnreachable, match=r"permission denied at unix://.*; run the command as root"
    ):
        connect(daemon).info()
