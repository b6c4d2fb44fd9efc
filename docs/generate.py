"""Writes the parts of these pages that follow from tables in the code: compose keys, commands, endpoints.

A page has such a part between `<!-- generated: NAME -->` and `<!-- end -->`. `python docs/generate.py` writes all of
them anew; a test compares. What becomes of a key of a stack file is in the loader's own tables; what the code cannot say of
a command or an endpoint is said here, and the test refuses an entry for one that does not exist.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import click
from prometheus_client.metrics import MetricWrapperBase

from hivelet.agent.exec.meter import DrainMeter
from hivelet.api.meter import ApiMeter
from hivelet.api.openapi.document import describe
from hivelet.api.router import Route
from hivelet.api.routes import ALL_ROUTES
from hivelet.cli.examples import EXAMPLES
from hivelet.cli.main import hivelet
from hivelet.compose.grammar import (
    LIST_OR_MAP,
    Anything,
    Fields,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Rule,
    Scalar,
)
from hivelet.compose.grammar_tables import FILE
from hivelet.daemon.main import main as hiveletd
from hivelet.kit.clock import SystemClock
from hivelet.metrics.node import NodeFacts, node_families
from hivelet.metrics.swarm import swarm_families
from hivelet.metrics.tasks import TaskMeter
from hivelet.store import Store
from hivelet.store.journal import MemoryJournal
from hivelet.store.meter import JournalMeter

PAGES = Path(__file__).parent
CONFORMANCE = PAGES.parent / "tests" / "conformance"
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# ---- compose

_FATES = {
    "honoured": "honoured",
    "differs": "**differs**",
    "daemon": "**hivelet only**",
    "kept": "**Docker only**",
    "refused": "**refused**",
}
"""How the tables of the loader call what becomes of a key, and how the page does."""

_KINDS = {"integer": "whole number", "null": "nothing"}
_FORMS = {
    "duration": "duration (`1m30s`)",
    "size": "size (`64m`, bytes)",
    "cpus": "number of CPUs (`0.5`)",
    "port": "`[HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]`, ranges too",
    "published": "port",
    "command": "command line",
    "volume": "`[SOURCE:]TARGET[:OPTIONS]`",
    "device": "`PATH[:TARGET][:PERMISSIONS]`",
    "mode": "octal file mode (`0440`)",
    "platform": "`OS/ARCHITECTURE`",
    "path": "path",
    "name": "string",
    "swap": "size, or -1",
}


def compose_part() -> str:
    """One chapter for each section of a stack file."""
    chapters = [_compose_table("The file", "", FILE, flat=False)]
    for name, key in FILE.keys.items():
        entry = _fields_in(key.rule)
        if entry is None:
            continue
        nested = name != "services"
        chapters.append(_compose_table(f"{name}.NAME", name, entry, flat=nested))
        if name == "services":
            chapters += [
                _compose_table(f"services.NAME.{inner}", f"services.{inner}", found, flat=True)
                for inner, sub in entry.keys.items()
                if sub.fate not in _WITHOUT and (found := _fields_in(sub.rule)) is not None
            ]
    return "\n".join(chapters)


_WITHOUT = ("ignored", "refused")


def _compose_table(title: str, path: str, fields: Fields, *, flat: bool) -> str:
    rows = list(_walk(path, fields, deep=flat))
    cut = len(path) + 1 if path else 0
    lines = [f"### `{title}`" if path else f"### {title}", ""]
    lines += ["| key | takes | what becomes of it |", "|---|---|---|"]
    without: dict[str, list[str]] = {}
    for place, key in rows:
        name = place[cut:]
        if key.fate == "ignored":
            without.setdefault(key.note, []).append(f"`{name}`")
        elif not (flat and isinstance(key.rule, Fields) and key.fate == "honoured"):
            note = f": {key.note}" if key.note and key.note != key.fate else ""
            lines.append(f"| `{name}` | {_takes(key.rule)} | {_FATES[key.fate]}{note} |")
    if without:
        lines += [
            "",
            "Taken without effect, each named in a warning:",
            "",
            "| keys | why |",
            "|---|---|",
        ]
        for note, keys in without.items():
            rows_of_five = [keys[start : start + 5] for start in range(0, len(keys), 5)]
            lines += [f"| {', '.join(five)} | {note} |" for five in rows_of_five]
    return "\n".join(lines) + "\n"


def _walk(path: str, fields: Fields, *, deep: bool) -> Iterator[tuple[str, Key]]:
    for name, key in fields.keys.items():
        place = f"{path}.{name}" if path else name
        yield place, key
        inner = _fields_in(key.rule) if deep and key.fate not in _WITHOUT else None
        if inner is not None:
            yield from _walk(place, inner, deep=True)


def _fields_in(rule: Rule) -> Fields | None:
    """The mapping with known keys that a value may be or hold."""
    match rule:
        case Fields():
            return rule
        case ListOf():
            return _fields_in(rule.item)
        case MapOf():
            return _fields_in(rule.value)
        case OneOf():
            return next((found for form in rule.forms if (found := _fields_in(form))), None)
        case _:
            return None


def _takes(rule: Rule) -> str:
    if rule == LIST_OR_MAP:
        return "mapping or list of `NAME=VALUE`"
    match rule:
        case Scalar():
            if rule.choices:
                return ", ".join(f"`{choice}`" for choice in rule.choices)
            if rule.check:
                return _FORMS[rule.check]
            return " or ".join(_KINDS.get(kind, kind) for kind in rule.kinds)
        case ListOf():
            return f"list of {_many(_takes(rule.item))}"
        case MapOf():
            return "mapping"
        case OneOf():
            words = [_takes(form) for form in rule.forms]
            words = [word for word in words if word != "nothing"]
            return " or ".join(dict.fromkeys(words))
        case Anything():
            return "anything"
        case _:
            return "mapping"


def _many(word: str) -> str:
    if word in {"string", "mapping", "whole number", "number"}:
        return f"{word}s"
    return f"({word})" if " or " in word else word


def config_differences_part() -> str:
    """What the corpus shows to differ from `docker stack config` and `deploy`, and why."""
    table = PAGES.parent / "tests" / "unit" / "compose" / "differences.json"
    rows = [f"| {row['matter']} | {row['why']} |" for row in json.loads(table.read_text())]
    return "\n".join(["| matter | with hivelet, and why |", "|---|---|", *rows])


# ---- command line

_METAVARS = {"integer": "N", "integer range": "N", "float": "NUMBER", "path": "FILE"}


def commands() -> Iterator[tuple[str, click.Command, list[str]]]:
    """Every command that is not a group: its words, itself, its other names. The shortest is the one that it is found by."""
    seen: dict[int, dict[str, click.Command]] = {}
    for words, command in _leaves("", hivelet):
        seen.setdefault(id(command.callback), {})[words] = command
    for names in seen.values():
        first = min(
            names, key=lambda words: (words.count(" "), names[words].name != words.split()[-1])
        )
        yield first, names[first], [words for words in names if words != first]


def _leaves(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command, info_name="hivelet")
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _leaves(f"{words} {name}".strip(), inner)


def cli_part() -> str:
    """One chapter for each command: what it does, its line, examples, its options."""
    chapters = []
    for words, command, aliases in commands():
        lines = [f"### hivelet {words}", "", (command.help or "").strip().partition("\n")[0]]
        if aliases:
            lines[-1] += f" Also called {', '.join(f'`hivelet {alias}`' for alias in aliases)}."
        lines += ["", "```console", *(f"# {line}" for line in EXAMPLES[words]), "```", ""]
        if arguments := _arguments(command):
            lines += [f"Arguments: {arguments}.", ""]
        lines += _options(command)
        chapters.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(chapters)


def daemon_part() -> str:
    """The options of hiveletd."""
    return "\n".join(_options(hiveletd)) + "\n"


def _arguments(command: click.Command) -> str:
    context = click.Context(command, info_name=command.name)
    return ", ".join(f"`{piece}`" for piece in command.collect_usage_pieces(context)[1:])


def _options(command: click.Command) -> list[str]:
    rows = []
    for option in command.params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        names = [name for name in (*option.opts, *option.secondary_opts) if name.strip()]
        shown = ", ".join(f"`{name}`" for name in sorted(names, key=lambda n: n.startswith("--")))
        note = (option.help or "").replace("|", "\\|").replace("  ", " ")
        if option.show_default and isinstance(option.default, str | int):
            note += f" Default `{option.default}`."
        rows.append(f"| {shown} | {_value(option)} | {note.strip()} |")
    return ["| option | value | meaning |", "|---|---|---|", *rows, ""] if rows else []


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        word = ", ".join(f"`{choice}`" for choice in option.type.choices)
    else:
        word = f"`{option.metavar or _METAVARS.get(option.type.name, 'TEXT')}`"
    return f"{word}, repeatable" if option.multiple else word


# ---- API

API_NOTES: dict[tuple[str, str], tuple[str, str]] = {
    ("GET", "/openapi.json"): ("differs", "hivelet's own: the API's description"),
    ("GET", "/metrics"): ("differs", "Docker has it on `metrics-addr` alone; no version in front"),
    ("GET", "/plugins"): ("differs", "there are none"),
    ("GET", "/plugins/{ref:path}/json"): ("differs", "always 404"),
    ("POST", "/build"): (
        "differs",
        "by buildah; 501 for BuildKit and `outputs`, 400 for `squash`; `cachefrom` has no effect",
    ),
    ("POST", "/build/cancel"): (
        "differs",
        "does nothing: a build ends with the connection that asked for it",
    ),
    ("POST", "/auth"): ("differs", "credentials are checked; `IdentityToken` is empty"),
    ("POST", "/swarm/init"): ("differs", "no other node can join"),
    ("POST", "/swarm/join"): ("501", "a swarm has one node; 503 where this node is in one already"),
    ("POST", "/services/create"): (
        "differs",
        "see the [compose reference](compose-reference.md#the-keys)",
    ),
    ("POST", "/services/{ref}/update"): ("differs", "as for create"),
    ("POST", "/networks/create"): (
        "differs",
        "drivers `overlay` and `bridge`; one subnet of each family",
    ),
    ("POST", "/volumes/create"): (
        "differs",
        "driver `local` only, else 404, as for a plugin that is not there",
    ),
}
"""Endpoints that answer and do less, or other, than Docker's."""


def api_part() -> str:
    """One table for each of Docker's nouns."""
    chapters: dict[str, list[str]] = {}
    for row in ALL_ROUTES:
        chapters.setdefault(_noun(row), []).append(_api_row(row))
    return "\n".join(
        "\n".join(
            [
                f"### {noun}",
                "",
                "| endpoint | since | does | asked | state |",
                "|---|---|---|---|---|",
                *rows,
                "",
            ]
        )
        for noun, rows in chapters.items()
    )


def _api_row(row: Route) -> str:
    path = row.path.replace("{ref:path}", "{name}").replace("{ref}", "{id}")
    start = f"| `{row.method} {path}` | {row.since} |"
    asked = str(_times_asked(row) or "")
    if row.missing:
        what = inspect.getclosurevars(row.answer).nonlocals["what"]
        return f"{start} {what} | {asked} | 501 |"
    fate, note = API_NOTES.get((row.method, row.path), ("done", ""))
    told = fate if fate == "done" else f"**{fate}**"
    what = row.answer.__name__.replace("_", " ")
    return f"{start} {what} | {asked} | {told}{': ' + note if note else ''} |"


def _times_asked(row: Route) -> int:
    """How many recorded answers of a real engine there are to this."""
    path = re.escape(row.path).replace(r"\{ref:path\}", ".+").replace(r"\{ref\}", "[^/]+")
    wanted = re.compile(rf"{re.escape(row.method)} (/v[\d.]+)?{path}")
    return sum(wanted.fullmatch(question) is not None for question in _questions())


@cache
def _questions() -> list[str]:
    return [
        f"{request['method']} {'/' + request['path'].partition('?')[0].lstrip('/')}"
        for scene in sorted((CONFORMANCE / "recorded").glob("*.json"))
        for entry in json.loads(scene.read_text()).values()
        if (request := entry.get("request"))
    ]


def recorded_differences_part() -> str:
    """The differences from the recordings that are meant."""
    found = json.loads((CONFORMANCE / "accepted.json").read_text())
    rows = [f"| {each['of']} | {each['why']} |" for each in found]
    return "\n".join(["| answer to | difference |", "|---|---|", *rows, ""])


def _noun(row: Route) -> str:
    owner = row.answer if not row.missing else None
    if owner is None:
        return _NOUNS.get(row.path.split("/")[1], row.path.split("/")[1])
    module = owner.__module__.rpartition(".")[2]
    # Secrets and configs are answered by the same code.
    return row.path.split("/")[1] if module == "cluster_files" else module


_NOUNS = {
    "exec": "containers",
    "commit": "containers",
    "plugins": "system",
    "session": "builds",
    "grpc": "builds",
}

# ---- service flags


def flags_part(table: str) -> str:
    """The table that `tests/e2e/test_service_flags.py` tries, row by row."""
    tried = vars(_tests("service_flags"))
    lines = ["| flag | tried as | state | remark |", "|---|---|---|---|"]
    for row in sorted(tried[table], key=lambda row: row.flag):
        example = shlex.join(row.words)
        words = [f"answers `{row.shows.value}`" * (row.shows.way == "refused"), row.remark]
        cells = (row.flag, example, _SHOWN[row.shows.way], "; ".join(filter(None, words)))
        lines.append("| `{}` | `{}` | {} | {} |".format(*cells))
    return "\n".join(lines)


_SHOWN = {
    "says": "honoured",
    "stops": "honoured",
    "has": "honoured",
    "stored": "stored",
    "refused": "refused",
    "client": "command line",
}

# ---- comparison with Docker Swarm


def scenarios_part() -> str:
    """The scenes that are played, in a sentence each."""
    scenarios = _tests("scenarios.play").SCENARIOS
    lines = [f"| `{one.name}` | {one.about} |" for one in scenarios]
    return "\n".join(["| scene | what happens |", "|---|---|", *lines])


def accepted_part() -> str:
    """The differences that the comparison accepts."""
    lines = []
    for one in _tests("scenarios.accepted").ACCEPTED:
        scene = "all" if one.scenario == "*" else f"`{one.scenario}`"
        lines.append(f"| {scene} | `{one.path}` | `{one.hivelet}` | {one.reason} |")
    head = ["| scene | where | with hivelet | why |", "|---|---|---|---|"]
    return "\n".join([*head, *lines])


def _tests(module: str) -> ModuleType:
    """A module of the end-to-end tests, which are no package."""
    folder = str(PAGES.parent / "tests/e2e")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(module)


# ---- metrics


def metrics() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Every metric of the daemon's own: name, kind, what it says, labels."""
    store = Store(SystemClock(), MemoryJournal())
    parts = (ApiMeter(), JournalMeter(Path("state.db")), DrainMeter(), TaskMeter(store))
    instruments = {
        found._name: found._labelnames  # noqa: SLF001
        for part in parts
        for found in vars(part).values()
        if isinstance(found, MetricWrapperBase)
    }
    families = (
        *store.view(lambda view: list(swarm_families(view))),
        *node_families(NodeFacts(version=""), ()),
        *(family for part in parts for family in part.families()),
    )
    for family in families:
        labels = getattr(family, "_labelnames", instruments.get(family.name, ()))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type, family.documentation, tuple(labels)


def metrics_part() -> str:
    """One table of all metrics."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {about} |"
        for name, kind, about, labels in sorted(metrics())
    ]
    return "\n".join(["| metric | kind | labels | what it says |", "|---|---|---|---|", *rows])


# ---- pages

# ---- faults

FAULTS = PAGES / "faults"


def faults_part(area: str) -> str:
    """A table of one area's faults (`faults/AREA.json`, written by hand but for the figures)."""
    rows = [
        "| fault | what happens | test | made | requests | lost | recovered |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault, line in json.loads((FAULTS / f"{area}.json").read_text()).items():
        made, requests, lost, seconds = line.get("figures") or (None,) * 4
        recovered = "–" if seconds is None else f"{seconds:g} s"
        numbers = " | ".join(
            "–" if number is None else f"{number:,}" for number in (made, requests, lost)
        )
        rows.append(f"| {fault} | {line['happens']} | `{line['test']}` | {numbers} | {recovered} |")
    return "\n".join(rows)


PARTS: dict[str, Callable[[], str]] = {
    "compose": compose_part,
    "config-differences": config_differences_part,
    "commands": cli_part,
    "hiveletd": daemon_part,
    "metrics": metrics_part,
    "endpoints": api_part,
    "recorded-differences": recorded_differences_part,
    "scenarios": scenarios_part,
    "accepted": accepted_part,
    "service-create": partial(flags_part, "CREATE"),
    "service-update": partial(flags_part, "UPDATE"),
    **{
        f"faults-{path.stem}": partial(faults_part, path.stem)
        for path in sorted(FAULTS.glob("*.json"))
    },
}


# ---- OpenAPI

OPENAPI = PAGES / "openapi.json"


def openapi() -> str:
    """The API's description, which a daemon answers with at `/openapi.json`."""
    return json.dumps(describe(ALL_ROUTES), indent=1, ensure_ascii=False) + "\n"


def render_page(text: str) -> str:
    """A page with its generated parts as they are now."""
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text)


def generated_pages() -> list[Path]:
    """The pages that have such a part."""
    return [page for page in sorted(PAGES.glob("*.md")) if _PART.search(page.read_text())]


def main() -> None:
    """Write all generated parts anew."""
    for page in generated_pages():
        before = page.read_text()
        after = render_page(before)
        if after != before:
            page.write_text(after)
            print(f"wrote {page}")
    OPENAPI.write_text(openapi())


if __name__ == "__main__":
    main()
