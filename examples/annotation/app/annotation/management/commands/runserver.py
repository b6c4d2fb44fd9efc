"""`runserver` for a container: one process that stops cleanly.

Django's own starts a second process to reload changed sources. In an image sources never change, and that pair handles
SIGTERM badly: the first process, PID 1 in a container, answers it by killing the second with its requests in flight.
So the reloader runs only while `DEBUG` is on, or with `--reload`; otherwise one process serves and drains itself.
"""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.commands.runserver import Command as DjangoRunserver

from annotation.server import DrainingServer


class Command(DjangoRunserver):
    """Django's runserver with a draining server, reloading only where sources may change."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Django's arguments and `--reload`."""
        super().add_arguments(parser)
        parser.add_argument(
            "--reload",
            action="store_true",
            dest="use_reloader",
            help="Restart when a source changes, as with DEBUG on.",
        )
        parser.set_defaults(use_reloader=settings.DEBUG)

    def run(self, **options: Any) -> None:
        """Drain on SIGTERM, unless the reloader is on: it serves in a thread that can't see signals."""
        if not options["use_reloader"]:
            self.server_cls = DrainingServer
        super().run(**options)
