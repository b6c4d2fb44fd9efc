"""Refreshes tests/golden/cli from the real docker CLI: `python tests/unit/cli/record_goldens.py`. No engine is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "golden" / "cli"
sys.path.insert(0, str(HERE))

from fake_daemon import FakeDaemon  # noqa: E402
from seeded import COMMANDS, seed  # noqa: E402


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        daemon = FakeDaemon(Path(scratch) / "socket")
        seed(daemon)
        environment = {"PATH": os.environ["PATH"], "HOME": scratch}
        for name, command in COMMANDS.items():
            done = subprocess.run(
                ["docker", "-H", daemon.host, *command],
                capture_output=True,
                text=True,
                env=environment,
                check=False,
            )
            (GOLDEN / f"{name}.txt").write_text(f"{done.returncode}\n{done.stdout}")
            if done.returncode or done.stderr:
                print(name, done.returncode, done.stderr.strip())
        daemon.close()


if __name__ == "__main__":
    main()
