"""The cluster store: the only shared state, and the only place where the manager's loops meet.

Read in memory, written by compare-and-swap in small atomic commits, watched with a version to resume from, kept by a
journal. What always holds is in `invariants.check_store` and `hivelet.objects.transitions`.

    loops ──commit()──▶ memory ──▶ watchers (at once)
    users ──update()──▶    │
                           └────▶ journal (strictly in order, many commits to one fsync) ──▶ `update()` returns

**Durability.** `update` and `batch` return when the journal has the commit, hence all earlier ones too; an API answer never
precedes that. Loops use `commit`, which returns at once, and go on from memory: what a crash then loses is a suffix of
commits that nobody was told of. Two rules make such a loss harmless. The dispatcher hands a task to an agent only after
`durable(version)`, so no container exists for a task that could be forgotten; and an agent reports the status of all its
tasks anew after a restart.
"""

from hivelet.store.memory import Store

__all__ = ["Store"]
