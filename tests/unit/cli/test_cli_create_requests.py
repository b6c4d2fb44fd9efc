"""`create` asks for what the docker CLI asks for, with each of its options (see `record_create_requests.py`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import FakeDaemon
from record_create_requests import (
    ENVIRONMENT,
    GOLDEN,
    IDENTITY,
    ROWS,
    meaningful,
    prepared,
    words_of,
)

RECORDED = json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("row", ROWS)
def test_asks_for_what_docker_asks_for(
    row: str, hivelet: Callable[..., Any], daemon: FakeDaemon, tmp_path: Path
) -> None:
    prepared(daemon, tmp_path)
    done = hivelet("create", *words_of(row, tmp_path), "image", "a", environment=ENVIRONMENT)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{IDENTITY}\n"
    (asked,) = [
        {"query": query, "body": meaningful(body)}
        for method, path, query, body in daemon.requests
        if (method, path) == ("POST", "/containers/create")
    ]
    assert asked == RECORDED[row]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("-m much", "--memory: \"much\" is not a size"),
        ("-p 80:90:100:110", "--publish"),
        ("--expose none", "--expose"),
        ("--mount type=bind,dst=/x", "--mount: \"type=bind,dst=/x\": a bind mount needs a source"),
        ("--network nix=1", "--network: \"nix=1\": the key \"nix\" is not known"),
        ("--network host --network other", "cannot be combined with other networks"),
        ("--network-alias a", "network-scoped aliases are only supported for user-defined networks"),
        ("--network name=a,ip=1.1.1.1 --ip 1.1.1.2", "cannot specify both --ip and per-network ip"),
        ("--restart always:3", "--restart"),
        ("--restart always --rm", "cannot specify both --restart and --rm"),
        ("--device-read-bps x:1", "--device-read-bps"),
        ("--ulimit nofile", "--ulimit"),
        ("--add-host nobody", "--add-host"),
        ("--health-interval soon --health-cmd x", "--health-interval"),
        ("--no-healthcheck --health-cmd x", "--no-healthcheck conflicts"),
        ("--env-file /nowhere", "/nowhere cannot be read"),
        ("-e =x", "--env"),
        ("-a nowhere", "--attach: valid streams are"),
        ("--device /dev/null:/dev/x:q", "--device"),
        ("--sysctl =1", "--sysctl"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_asked(
    row: str, message: str, hivelet: Callable[..., Any], daemon: FakeDaemon, tmp_path: Path
) -> None:
    done = hivelet("create", *words_of(row, tmp_path), "image")
    assert done.code in (1, 2, 125)
    assert message in done.err
    assert not [r for r in daemon.requests if r[1] == "/containers/create"]
