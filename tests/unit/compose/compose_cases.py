"""The cases of the corpus: which files are read together, and the caller's environment."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENT = {
    "FROM_CALLER": "caller value",
    "HOME_PAGE": "http://x",
    "EMPTY_VALUE": "",
    "HOME": "/home/me",
}
OVERLAYS = {
    "merged": ["base.yml", "override.yml"],
    "merged-more": ["over1-base.yml", "over1-top.yml"],
    "merged-three": ["over1-base.yml", "over1-top.yml", "over1-third.yml"],
}
_LAID_OVER = {name for files in OVERLAYS.values() for name in files[1:]}
CASES = {
    path.stem: [path.name]
    for path in sorted((HERE / "corpus").glob("*.yml"))
    if path.name not in _LAID_OVER
} | OVERLAYS
TODAY = sorted(
    path.stem for path in (HERE / "corpus" / "today").glob("*.yml") if ".plain" not in path.name
)
"""Files of today's specification. Each has a file beside it that says the same in compose 3: what Docker makes of that counts."""
CASES |= {f"{name}.plain": [f"today/{name}.plain.yml"] for name in TODAY}
