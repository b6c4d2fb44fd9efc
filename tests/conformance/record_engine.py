"""Ask a real Docker Engine what containers, networks, versions and builds look like. Run as root: `python record_engine.py`.

A part of `record.py`'s work that needs no swarm: takes half a minute. `--socket PATH --into DIRECTORY` asks an engine that runs
already, and keeps the answers elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from oracle import Oracle, Recorder
from scenes_builds import builds
from scenes_containers import SCENES
from session import Session

Scene = Callable[[Session], None]
ALL: Sequence[Scene] = (*SCENES, builds)
RECORDED = Path(__file__).parent / "recorded"


def main() -> None:
    """Start the engine, where none was named, and play the scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="?", default="")
    parser.add_argument("--socket")
    parser.add_argument("--into", type=Path, default=RECORDED)
    wanted = parser.parse_args()
    if wanted.socket:
        play(wanted.socket, wanted.into, ALL)
        return
    with Oracle(wanted.programs) as oracle:
        play(oracle.socket, wanted.into, ALL)


def play(socket: str, folder: Path, scenes: Sequence[Scene] = SCENES) -> None:
    """Scenes in their order; each builds on the ones before."""
    folder.mkdir(exist_ok=True)
    session = Session(Recorder(socket, folder))
    for scene in scenes:
        scene(session)


if __name__ == "__main__":
    main()
