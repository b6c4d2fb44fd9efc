"""The figures of the page of faults: each fault's line in `docs/faults/*.json`, and what its test measured.

A test that injects a fault names its line here; with HIVELET_FIGURES=1 the line is rewritten with what was seen, and
`python docs/generate.py` puts it on the page. So the page holds no figure that no test has made.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "faults"


def measured(
    fault: str, *, injected: int, requests: int = 0, lost: int = 0, seconds: float | None = None
) -> None:
    """Note how often a fault was injected, requests made and lost meanwhile, and seconds until all was well again.

    `fault` is the key of a line; `seconds` is the longest time, None where there is nothing to recover from.

    Raises:
        LookupError: there is no such line.
    """
    for path in sorted(FOLDER.glob("*.json")):
        lines = json.loads(path.read_text())
        if fault not in lines:
            continue
        if os.environ.get("HIVELET_FIGURES"):
            recovery = None if seconds is None else round(seconds, 2)
            lines[fault]["figures"] = [injected, requests, lost, recovery]
            path.write_text(json.dumps(lines, indent=2, ensure_ascii=False) + "\n")
        return
    raise LookupError(f"no line {fault!r} in {FOLDER}")
