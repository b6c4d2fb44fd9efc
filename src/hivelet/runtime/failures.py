"""Turns what an OCI runtime says about a failed create into Docker's words and Docker's exit codes. Decides only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hivelet.errors import InvalidParameter, System

NOT_FOUND = 127
NOT_EXECUTABLE = 126
OTHER = 128

_RUNC_MESSAGE = re.compile(r'\bmsg="((?:\\.|[^"\\])*)"')
_STAMP = re.compile(r"^\S*\d{4}-\d\d-\d\dT[\d:.]+Z?:? ?")
_CRUN_MISSING = re.compile(
    r"executable file [`'\"](?P<name>.*?)[`'\"] not found(?P<path> in \$PATH)?"
)
_CRUN_REFUSED = "open executable: operation not permitted"
"""What crun says of a directory."""
_REFUSALS = ("permission denied", "operation not permitted", "is a directory")
_RUNC_PREFIX = "runc create failed: unable to start container process: "


class CreateFailed(System):
    """A container could not be created or started. `code` is the exit code that Docker gives such a container."""

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


class ProgramRefused(CreateFailed, InvalidParameter):
    """Its program is not there or can't be run: the request is at fault, not the engine (Docker's 400)."""


def explain_create_failure(said: str, args: Sequence[str]) -> CreateFailed:
    """The error for a container whose program is `args`, from the runtime's own words.

    Docker's codes: 127 where the program is not found, 126 where it may not be run, 128 for all else.
    """
    cause = _cause(said, args[0] if args else "")
    code = _code(cause)
    kind = ProgramRefused if code in (NOT_FOUND, NOT_EXECUTABLE) else CreateFailed
    return kind(f"failed to create task for container: OCI runtime create failed: {cause}", code)


def explain_exec_failure(said: str, args: Sequence[str]) -> CreateFailed:
    """The same for a further process of a running container; Docker gives 126 for all that is not "not found"."""
    cause = _cause(said, args[0] if args else "")
    code = NOT_FOUND if _code(cause) == NOT_FOUND else NOT_EXECUTABLE
    return CreateFailed(f"OCI runtime exec failed: exec failed: {cause}", code)


def _cause(said: str, program: str) -> str:
    text = said.strip()
    if messages := _RUNC_MESSAGE.findall(text):
        text = re.sub(r"\\(.)", r"\1", messages[-1]).removeprefix(_RUNC_PREFIX)
        return f"unable to start container process: {text}" if text.startswith("exec:") else text
    lines = [_STAMP.sub("", line).strip() for line in text.splitlines()]
    text = "; ".join(filter(None, lines)) or "the runtime did not say why"
    if missing := _CRUN_MISSING.search(text):
        name = missing["name"]
        where = (
            "executable file not found in $PATH" if "/" not in name else "no such file or directory"
        )
        detail = (
            f'exec: "{name}": {where}'
            if "/" not in name
            else f'exec: "{name}": stat {name}: {where}'
        )
        return f"unable to start container process: {detail}"
    if text.lower() == _CRUN_REFUSED and program:
        # Docker's command line reads its exit code off these words.
        return f'unable to start container process: exec: "{program}": permission denied'
    if text.lower().startswith(("open executable", "exec")) and program:
        return f'unable to start container process: exec: "{program}": {text.lower()}'
    # Go's words for an error of the kernel: docker's command line reads its exit code off them.
    return text.replace("No such file or directory", "no such file or directory")


def _code(cause: str) -> int:
    lowered = cause.lower()
    if "exec:" in lowered or "executable" in lowered:
        if "not found" in lowered or "no such file or directory" in lowered:
            return NOT_FOUND
        if any(word in lowered for word in _REFUSALS):
            return NOT_EXECUTABLE
    return OTHER
