"""How often Python looks for cycles of garbage. Sets that for the whole process, and nothing else."""

import gc

THRESHOLDS = (5_000, 10, 10)
"""Python's own first number is 700. With ten thousand tasks, a seventh of the control plane's time is saved; what waits longer to
be found is at most a megabyte."""


def collect_seldom() -> None:
    """For a process that keeps many objects for long, few of which are ever in a cycle."""
    gc.set_threshold(*THRESHOLDS)
