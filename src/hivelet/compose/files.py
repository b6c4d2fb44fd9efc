"""Reading the files that a stack is made of. The only place of this package that touches the disk."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hivelet.compose.document import ComposeError, Document
from hivelet.compose.dotenv import parse_dotenv
from hivelet.compose.env_files import RAW, parse_env_file
from hivelet.compose.yaml_reader import read_yaml


def read_document(path: str, shown: str) -> Document:
    """The compose file at `path`, which errors call `shown`; `-` is the standard input.

    Raises:
        ComposeError: it cannot be read, or is not YAML.
    """
    if path == "-":
        raw, shown = sys.stdin.buffer.read(), "<stdin>"
    else:
        raw = read_bytes(Path(path), "compose file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ComposeError(
            f"{shown}: this is not a text file: byte {error.start} is not UTF-8"
        ) from error
    return read_yaml(text, shown)


def read_env_file(path: str, form: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an env file; `form` "raw" takes its lines as they stand.

    Raises:
        ComposeError: it cannot be read, or has a line that is not a variable.
    """
    text = read_bytes(Path(path), "env file").decode("utf-8", "surrogateescape")
    parse = parse_env_file if form == RAW else parse_dotenv
    try:
        return parse(text, path, environment)
    except ValueError as error:
        raise ComposeError(str(error)) from error


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file; `what` says in an error what it is for.

    Raises:
        ComposeError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ComposeError(
            f"there is no {what} {path}; look at the path, or name another one"
        ) from error
    except IsADirectoryError as error:
        raise ComposeError(f"the {what} {path} is a directory") from error
    except OSError as error:
        raise ComposeError(f"the {what} {path} cannot be read: {error.strerror}") from error
