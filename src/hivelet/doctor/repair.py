"""Carries out the repairs of findings, one after the other. The only part of the doctor that changes the machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from hivelet.doctor.finding import Finding, Repair
from hivelet.kit.process import CommandFailed, run_command

_TIMEOUT = 600.0


def list_repairs(findings: Iterable[Finding]) -> Iterator[Repair]:
    """What is to be done about them, each once."""
    done: set[Repair] = set()
    for finding in findings:
        if finding.level == "ok":
            continue
        for repair in finding.repairs:
            if repair not in done:
                done.add(repair)
                yield repair


async def carry_out(repair: Repair) -> str:
    """Make one repair; "" where it went well, else what was said."""
    try:
        await run_command(
            repair.argv,
            stdin=repair.script.encode(),
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            timeout=_TIMEOUT,
        )
    except CommandFailed as error:
        return error.message
    return ""
