"""Ask a real Docker Engine what `recorded/` holds. Run as root: `python tests/conformance/record.py [PROGRAMS]`.

PROGRAMS is a directory with dockerd, containerd and docker-proxy, where these are not on the PATH. Takes about two
minutes. Ids, times and tokens are masked; the order of lists is the engine's, and not the same in every run.

`--socket PATH --into DIRECTORY` asks an engine that runs already, such as a hiveletd in a network namespace of its own,
and keeps the answers elsewhere, to be compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from oracle import Oracle, Recorder
from scenes_life import events, files, leave, updates
from scenes_node import engine, images, networks, not_a_manager
from scenes_swarm import kinds, services, swarm, swarm_networks
from session import NotInTime, Session

RECORDED = Path(__file__).parent / "recorded"


def main() -> None:
    """Start the engine, where none was named, and play the scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="?", default="")
    parser.add_argument("--socket")
    parser.add_argument("--into", type=Path, default=RECORDED)
    wanted = parser.parse_args()
    wanted.into.mkdir(exist_ok=True)
    if wanted.socket:
        play(wanted.socket, wanted.into)
        return
    with Oracle(wanted.programs) as oracle:
        play(oracle.socket, wanted.into)


def play(socket: str, folder: Path) -> None:
    """All scenes in their order; each builds on the ones before."""
    session = Session(Recorder(socket, folder))
    began = int(time.time())
    for scene in (
        engine, not_a_manager, images, networks, swarm, swarm_networks, services, kinds, updates, files,
    ):  # fmt: skip
        try:
            scene(session)
            print(scene.__name__, flush=True)
        except NotInTime as error:
            # Another engine may lack what a scene waits for; what it answered until then is worth comparing.
            if folder == RECORDED:
                raise
            session.r.save(scene.__name__)
            print(f"{scene.__name__}: {error}", flush=True)
    events(session, began)
    leave(session)


if __name__ == "__main__":
    main()
