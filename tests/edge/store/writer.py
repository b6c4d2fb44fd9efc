"""Writes secrets into a store without end, and says each id once it is acknowledged. Locks and unlocks in between."""

import asyncio
import sys
from pathlib import Path

from hivelet.kit.clock import SystemClock
from hivelet.objects.cluster import Cluster
from hivelet.objects.secret import Secret, SecretSpec
from hivelet.store import Store
from hivelet.store.sqlite import SqliteJournal


async def main(path: Path) -> None:
    """Until somebody ends it."""
    store = Store(SystemClock(), SqliteJournal(path))
    await store.open()
    if store.view(lambda view: view.cluster()) is None:
        await store.update(lambda tx: tx.create(Cluster(id="c")))
    number = 0
    while True:
        spec = SecretSpec(name=f"{number}-{path.stat().st_ino}", data=b"x" * 500)
        made = await store.update(lambda tx, s=spec: tx.create(Secret(id="", spec=s)))
        print(made.id, flush=True)
        number += 1


asyncio.run(main(Path(sys.argv[1])))
