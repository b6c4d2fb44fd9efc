"""Lists as the docker CLI prints them: a table, a table of one's own, a template for each row, JSON lines, or ids alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hivelet.kit.gotemplate import DOCKER_FUNCTIONS, ShownRow, Template

Row: TypeAlias = Mapping[str, Any]
"""What a template sees of one object."""

_MINIMUM, _PADDING = 10, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one kind of object is listed: the header of every field, the table by default, what `-q` prints."""

    headers: Mapping[str, str]
    table: tuple[str, ...]
    quiet: str = "ID"

    @property
    def default(self) -> str:
        """The template of the default table."""
        return "\t".join(f"{{{{.{field}}}}}" for field in self.table)


def render_list(view: View, rows: Iterable[Row], *, template: str = "", quiet: bool = False) -> str:
    """The whole output, each line ended.

    Raises:
        TemplateError: `template` is not right.
    """
    if quiet and template in {"", "table"}:
        return "".join(f"{row[view.quiet]}\n" for row in rows)
    if template in {"", "table"}:
        return _table(view, view.default, rows)
    if template.startswith("table "):
        return _table(view, _unescaped(template.removeprefix("table ").strip()), rows)
    source = "{{json .}}" if template == "json" else _unescaped(template)
    parsed = Template(source, DOCKER_FUNCTIONS)
    return "".join(f"{parsed.render(_sorted(row))}\n" for row in rows)


def align(lines: Sequence[str], *, minimum: int = _MINIMUM) -> list[str]:
    """Lines with tabs as columns: each as wide as its widest cell, no narrower than Docker's."""
    cells = [line.split("\t") for line in lines]
    widths: list[int] = []
    for line in cells:
        for index, cell in enumerate(line[:-1]):
            width = max(minimum, len(cell) + _PADDING)
            if index < len(widths):
                widths[index] = max(widths[index], width)
            else:
                widths.append(width)
    return [
        "".join(cell.ljust(widths[i]) for i, cell in enumerate(line[:-1])) + line[-1]
        for line in cells
    ]


def _table(view: View, source: str, rows: Iterable[Row]) -> str:
    parsed = Template(source, DOCKER_FUNCTIONS)
    lines = [parsed.render(dict(view.headers)), *(parsed.render(row) for row in rows)]
    return "".join(f"{line}\n" for line in align(lines))


def _unescaped(template: str) -> str:
    return template.replace("\\t", "\t").replace("\\n", "\n")


def _sorted(row: Row) -> Row:
    """The row as `{{json .}}` prints it: fields in the order of the alphabet, without those of the default table alone."""
    return ShownRow({field: row[field] for field in sorted(row) if not field.startswith("_")})
