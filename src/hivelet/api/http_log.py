"""What the HTTP server itself has to say, as lines of our own log.

A request that is no HTTP is its client's fault, and is told to that: here it is a debug line without a word of the request, which
may hold credentials. Everything else is a defect and comes with its traceback.
"""

from __future__ import annotations

import logging
from traceback import format_exception

import structlog
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger(__name__)


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            log.debug("a request is no HTTP, or larger than allowed", error=type(error).__name__)
        elif record.levelno >= logging.ERROR:
            told = format_exception(error) if error is not None else [record.getMessage()]
            log.error("the HTTP server failed", error="".join(told))


def http_logger() -> logging.Logger:
    """A logger of the standard library's for aiohttp."""
    logger = logging.Logger("hivelet.http")
    logger.addHandler(_Forward())
    return logger
