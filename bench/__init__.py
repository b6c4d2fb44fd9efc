"""Benchmarks of hivelet, side by side with the real Docker Swarm; run as `python -m bench.swarm` and so on.

They use the private machines of the end-to-end tests (tests/e2e/harness), so nothing of them touches the host.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))
