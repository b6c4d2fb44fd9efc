"""The processes of a container as `ps` shows them: `docker top`."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from hivelet.errors import InvalidParameter
from hivelet.kit.process import CommandFailed, run_command
from hivelet.objects.engine import ProcessTable

DEFAULT_ARGS = "-ef"
"""What Docker gives `ps` where the user says nothing."""


async def read_processes(pids: Collection[int], ps_args: str) -> ProcessTable:
    """Run `ps` on the host and keep the lines of `pids`.

    Raises:
        InvalidParameter: the arguments are none that `ps` takes, or leave out the PID column, without which lines can't be
            told apart.
    """
    try:
        argv = ["ps", *shlex.split(ps_args or DEFAULT_ARGS)]
    except ValueError as error:
        raise InvalidParameter(f"ps_args={ps_args}: {error}") from error
    try:
        output = await run_command(argv, timeout=10)
    except CommandFailed as error:
        if error.status != 1:
            raise
        raise InvalidParameter(
            f"ps_args={ps_args}: {error.stderr.strip().partition(chr(10))[0]}"
        ) from error
    return select_processes(output.stdout.decode(errors="replace"), pids)


def select_processes(text: str, pids: Collection[int]) -> ProcessTable:
    """The header of `ps` output, and those lines whose process is in `pids`. Pure."""
    # Processes name themselves: what else than a line feed breaks lines elsewhere must not make a line of its own here.
    lines = text.removesuffix("\n").split("\n")
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidParameter("Couldn't find PID field in ps output: leave the PID column in")
    place = titles.index("PID")
    rows = [line.split(maxsplit=len(titles) - 1) for line in lines[1:]]
    kept = [
        row for row in rows if len(row) > place and row[place].isdigit() and int(row[place]) in pids
    ]
    return ProcessTable(titles=titles, processes=kept)
