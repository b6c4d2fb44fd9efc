"""One thing done to several objects: what went well is printed by its name, what went wrong by its reason, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hivelet.cli.session import complain, say
from hivelet.errors import HiveletError


def for_each(refs: Iterable[str], act: Callable[[str], object]) -> int:
    """Do it to each; the exit code is 1 where one failed. What `act` answers is printed in the name's place, where it is text."""
    failed = 0
    for ref in refs:
        try:
            said = act(ref)
            say(said if isinstance(said, str) else ref)
        except HiveletError as error:
            complain(error.message)
            failed = 1
    return failed
