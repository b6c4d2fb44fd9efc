"""Lines of logs with the moment and the task that they are from, and how they are printed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

from hivelet.cli.session import paint

Json: TypeAlias = dict[str, Any]

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow")
_ORIGIN = "com.docker.swarm."
_STDERR = 2


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LogLine:
    """One line. The moment comes first, in Docker's form of fixed width, so that lines sort by time."""

    moment: str
    task_id: str = field(compare=False)
    text: str = field(compare=False)
    to_stderr: bool = field(default=False, compare=False)


def parse_line(kind: int, line: str, task_id: str = "") -> LogLine:
    """A line as the daemon sends it with timestamps and details: `MOMENT key=value,… text`."""
    moment, _, rest = line.partition(" ")
    details, _, text = rest.partition(" ")
    pairs = dict(pair.partition("=")[::2] for pair in details.split(",") if pair)
    given = {unquote_plus(key): unquote_plus(value) for key, value in pairs.items()}
    origin = given.get(f"{_ORIGIN}task.id")
    if origin is None:
        text = rest
    return LogLine(moment=moment, task_id=origin or task_id, text=text, to_stderr=kind == _STDERR)


def parse_lines(frames: Iterable[tuple[int, bytes]], task_id: str = "") -> Iterator[LogLine]:
    """Every line of a log; what has no end yet is put together with what follows on the same stream."""
    rest: dict[int, bytes] = {}
    for kind, data in frames:
        *whole, open_end = (rest.pop(kind, b"") + data).split(b"\n")
        if open_end:
            rest[kind] = open_end
        for line in whole:
            yield parse_line(kind, line.decode("utf-8", "replace").rstrip("\r"), task_id)
    for kind, line in rest.items():
        yield parse_line(kind, line.decode("utf-8", "replace").rstrip("\r"), task_id)


def after(moment: str) -> str:
    """The moment after one of a line, as the API takes it: seconds since 1970 with nine digits."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    nanoseconds = int(fraction.ljust(9, "0")[:9] or 0) + 1
    return f"{seconds + nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09}"


def task_label(task: Json, service: str, stack: str, nodes: Mapping[str, str]) -> str:
    """`web.1`: the service without its stack, and the slot; with its node where there are several."""
    name = service.removeprefix(f"{stack}_")
    node = nodes.get(task.get("NodeID", ""), str(task.get("NodeID", ""))[:12])
    if not task.get("Slot"):
        return f"{name}.{node}"
    return f"{name}.{task['Slot']}" + (f"@{node}" if len(nodes) > 1 else "")


@dataclass(slots=True)
class Printer:
    """Turns lines into what is shown: an aligned prefix in the colour of its service, the moment where it is asked for."""

    timestamps: bool = False
    prefix: bool = True
    width: int = 0
    colours: dict[str, str] = field(default_factory=dict)

    def render(self, line: LogLine, label: str) -> str:
        """The line as it is printed, with its task's label."""
        text = f"{line.moment} {line.text}" if self.timestamps else line.text
        if not self.prefix:
            return text
        self.width = max(self.width, len(label))
        service = label.partition(".")[0]
        colour = self.colours.setdefault(service, COLOURS[len(self.colours) % len(COLOURS)])
        return f"{paint(f'{label.ljust(self.width)} |', colour)} {text}"
