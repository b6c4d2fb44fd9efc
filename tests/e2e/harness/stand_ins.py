"""Programs of the host that fail when they are told to: each stands before the real one, in one machine's view of the files.

An order is a file in a directory: the next call of that verb takes it and does what it says; all others are the real program's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.machine import Machine

FAIL, HANG, DIE, HALF = "fail", "hang", "die", "half"
"""Ends with an error; never ends; is killed; does its work and then ends with an error."""

_SCRIPT = """#!/bin/sh
verb=call
for word; do
    case $word in create | start | delete | exec | pause | resume | update | --version) verb=$word; break ;; esac
done
if mv {orders}/$verb-fail {orders}/taken 2>/dev/null; then echo "no luck today" >&2; exit 1; fi
if mv {orders}/$verb-hang {orders}/taken 2>/dev/null; then kill -STOP $$; fi
if mv {orders}/$verb-die {orders}/taken 2>/dev/null; then kill -KILL $$; fi
if mv {orders}/$verb-half {orders}/taken 2>/dev/null; then {real} "$@"; echo "no luck today" >&2; exit 1; fi
exec {real} "$@"
"""


class StandIn:
    """Stands before one program. To be made before the daemon starts."""

    def __init__(self, machine: Machine, program: str) -> None:
        found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert found is not None, f"{program} is not there"
        home = machine.dir / "stand-ins" / program
        self._orders = home / "orders"
        self._orders.mkdir(parents=True)
        real = Path(shutil.copy(found, home / program))
        script = home / "script"
        script.write_text(_SCRIPT.format(orders=self._orders, real=real))
        script.chmod(0o755)
        machine.run(["mount", "--bind", str(script), str(Path(found).resolve())])

    def order(self, verb: str, how: str) -> None:
        """Have the next call of `verb` ("call" for a program without verbs) go that way."""
        (self._orders / f"{verb}-{how}").touch()

    @property
    def taken(self) -> bool:
        """Whether the last order has been taken; asked once."""
        taken = self._orders / "taken"
        if not taken.exists():
            return False
        taken.unlink()
        return True
