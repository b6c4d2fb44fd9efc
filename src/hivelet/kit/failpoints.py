"""Named moments at which a test may have this process die: one in front of or behind each change that outlives it.

`HIVELET_FAILPOINT=NAME[:N]` in the environment has the process kill itself with SIGKILL the Nth time that it passes the point,
as a crash there would. Without it `point` is a comparison. The names are one table, so that a test can go through all of
them; each is passed at exactly one place of the source.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator

ENVIRONMENT = "HIVELET_FAILPOINT"

POINTS = {
    "journal.begin": "a transaction of the cluster's state is about to be written",
    "journal.commit": "it is written and not committed",
    "journal.answer": "it is on the disk, and nobody who waits for it knows",
    "engine.put": "a record of the engine's database is about to be written",
    "engine.was-put": "it is written",
    "engine.drop": "a record of the engine's database is about to be removed",
    "engine.was-dropped": "it is removed",
    "file.rename": "a file has been written under its scratch name",
    "file.renamed": "it has its own name",
    "conmon.start": "a container's monitor is about to be started",
    "conmon.started": "it runs, and makes the container",
    "conmon.created": "the container is made, and its processes are not on record",
    "conmon.recorded": "they are",
    "runtime.call": "the OCI runtime is about to be called",
    "runtime.called": "it has done what it was told",
    "container.signal": "a container is about to be sent a signal",
    "container.signalled": "it has been sent",
    "container.cleared": "the runtime has forgotten a container, and its files and control groups are still there",
    "namespace.pinned": "a network namespace is whole, and has the name by which its container joins it",
    "namespace.unpinned": "a network namespace is let go, and its file is still there",
    "links.request": "links, addresses or routes are about to be changed",
    "links.changed": "they are changed",
    "switch.set": "a switch of the kernel has been set",
    "rules.apply": "a transaction of nftables is about to be sent",
    "rules.applied": "it is in effect",
    "resolver.start": "a resolver is about to be started",
    "resolver.started": "it runs",
    "resolver.end": "a resolver is about to be ended",
    "resolver.reload": "a resolver's files are changed, and it has not been told",
    "resolver.told": "it has been told",
    "overlay.mounted": "a container's file system is mounted",
    "overlay.unmounted": "it is unmounted",
    "snapshot.doomed": "what a container wrote is set aside to be deleted",
    "tmpfs.mounted": "the place of a container's secrets and configs is there and empty",
    "volume.made": "a volume's directory is there, and nobody knows of it",
    "volume.forgotten": "a volume is forgotten, and its directory is still there",
    "layer.unpacked": "a layer is unpacked in the scratch space",
    "layer.placed": "it is where layers are, and nobody knows of it",
    "layer.doomed": "a removed image's layers are set aside to be deleted",
    "image.write": "a change of the list of images is about to be committed",
    "image.written": "it is committed",
    "container.tidy": "a container's directories are about to be deleted",
}
"""What is true at each point."""


class UnknownPoint(ValueError):
    """The environment names a point that there is not."""


def read_setting(setting: str) -> tuple[str, int]:
    """A point's name and the number of its passage, from NAME or NAME:N.

    Raises:
        UnknownPoint: there is no such point, or no such passage.
    """
    name, _, passage = setting.partition(":")
    if name not in POINTS or not (passage or "1").isdigit() or passage == "0":
        raise UnknownPoint(f"{ENVIRONMENT}={setting}: it takes NAME or NAME:N, N from 1")
    return name, int(passage or "1")


def point(name: str) -> None:
    """Die here, if this is the point, and its passage, that the environment names. Of any thread."""
    if name == _armed and next(_passages) == _fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def arm(setting: str) -> None:
    """Take the setting of the environment, "" for none; a process that is forked for it takes its own.

    Raises:
        UnknownPoint: there is no such point.
    """
    global _armed, _fatal, _passages
    _armed, _fatal = read_setting(setting) if setting else ("", 0)
    _passages = itertools.count(1)


_armed, _fatal = "", 0
# Counted without a lock: one step of an iterator is not divided between threads.
_passages: Iterator[int] = itertools.count(1)
arm(os.environ.get(ENVIRONMENT, ""))
