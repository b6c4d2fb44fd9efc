"""Go's text templates, as `--format` and services have them. Pure.

`lexer` → `parser` → `execute`; `functions` are Go's own, Docker's command line adds those of `docker`. What always holds:
whatever the text, the outcome is a text or a `TemplateError`, and the work is bounded where the caller bounds it.
"""

from hivelet.kit.gotemplate.docker import DOCKER_FUNCTIONS
from hivelet.kit.gotemplate.problems import TemplateError
from hivelet.kit.gotemplate.template import Limits, Template
from hivelet.kit.gotemplate.values import NIL, ShownRow, go_json, go_text

__all__ = [
    "DOCKER_FUNCTIONS",
    "NIL",
    "Limits",
    "ShownRow",
    "Template",
    "TemplateError",
    "go_json",
    "go_text",
]
