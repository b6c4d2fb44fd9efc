"""What can be wrong with a template."""

from __future__ import annotations

from hivelet.errors import InvalidParameter


class TemplateError(InvalidParameter):
    """A template that cannot be read, asks for what is not there, or asks for too much."""
