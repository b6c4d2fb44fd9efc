"""Files made from the loader's own tables: whatever stands in them, the answer is a stack or a complaint."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hivelet.cli.spec_compare import same_service
from hivelet.compose.document import ComposeError
from hivelet.compose.dotenv import parse_dotenv
from hivelet.compose.grammar import Anything, Fields, ListOf, MapOf, OneOf, Rule, Scalar
from hivelet.compose.grammar_tables import FILE
from hivelet.compose.load import LoadOptions, load_stack
from hivelet.compose.model import StackFile
from hivelet.compose.render import render_config
from hivelet.compose.to_spec.cluster_files import KnownIds
from hivelet.compose.to_spec.networks import network_requests
from hivelet.compose.to_spec.services import service_specs
from hivelet.compose.wire import to_wire
from hivelet.convert.service import encode_spec, parse_service_spec
from hivelet.objects.dirty import same_template

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from compose_cases import CASES, ENVIRONMENT  # noqa: E402

NAMES = st.sampled_from(["a", "b", "web", "x_1", "n-1.0"])
WORDS = st.sampled_from(
    ["a", "1", "", "80:80", "8000-8001:80-81/udp", "10s", "0.5", "64m", "a=b", "a:1.2.3.4", "data:/x:ro", "./y:/z", "sh -c 'x y'", "yes", "é", "x: y", "- x", "#", "l1\nl2\n"]
)  # fmt: skip
CHECKED = {
    "duration": st.sampled_from(["10s", "1m30s", "0", "1.5h"]),
    "size": st.sampled_from(["64m", "1g", "1024"]),
    "swap": st.sampled_from(["64m", "-1"]),
    "cpus": st.sampled_from(["0.5", "2"]),
    "port": st.sampled_from(["80", "8000:80", "1-2:3-4/udp", "127.0.0.1:5:6"]),
    "published": st.sampled_from(["80", "0"]),
    "command": st.sampled_from(["sleep 5", "sh -c 'x y'", "a \"b c\""]),
    "volume": st.sampled_from(["/x", "a:/x", "./a:/b:ro", "~/c:/d"]),
    "device": st.sampled_from(["/dev/null", "/dev/a:/dev/b:r"]),
    "mode": st.sampled_from(["0440", "755"]),
    "platform": st.sampled_from(["linux/amd64", "linux"]),
    "path": st.sampled_from(["f.yml", "gone", "/abs", "~/x"]),
    "name": st.sampled_from(["stack", "s-1"]),
}  # fmt: skip
ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70000) | st.floats(-2, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | WORDS, inner, max_size=3),
    max_leaves=6,
)


def values(rule: Rule) -> st.SearchStrategy[Any]:
    """Values that a rule takes, most of the time."""
    match rule:
        case Scalar():
            return scalars(rule)
        case ListOf():
            return st.lists(values(rule.item), max_size=2)
        case MapOf():
            return st.dictionaries(NAMES, values(rule.value), max_size=2)
        case Fields():
            optional = {
                name: values(key.rule)
                for name, key in rule.keys.items()
                if key.fate != "refused" and name not in rule.required
            }
            required = {name: values(rule.keys[name].rule) for name in rule.required}
            return st.fixed_dictionaries(required, optional=dict(optional))
        case OneOf():
            return st.one_of([st.deferred(lambda form=form: values(form)) for form in rule.forms])
        case Anything():
            return ANY


def scalars(rule: Scalar) -> st.SearchStrategy[Any]:
    if rule.choices:
        return st.sampled_from(rule.choices)
    kinds = {
        "string": CHECKED.get(rule.check, WORDS),
        "integer": st.integers(0, 100),
        "number": st.integers(0, 9) | st.floats(0, 9),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return st.one_of([kinds[kind] for kind in rule.kinds])


SERVICES = FILE.keys["services"].rule.forms[1].value.keys  # type: ignore[union-attr]


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A file with one or two services, each with a few keys, and what they refer to more or less declared."""
    services: dict[str, Any] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=2, unique=True)):
        keys = draw(st.lists(st.sampled_from(sorted(SERVICES)), max_size=5, unique=True))
        service = {key: draw(values(SERVICES[key].rule)) for key in keys}
        services[name] = {"image": "x", **service}
    declared = {
        name: draw(values(FILE.keys[name].rule))
        for name in ("name", "include", "models", "networks", "volumes", "secrets", "configs")
        if name not in {"name", "include", "models"} or draw(st.integers(0, 4)) == 0
    }
    return {"services": services, **{key: value for key, value in declared.items() if value}}


def load(folder: Path, data: Any) -> Any:
    path = folder / "f.yml"
    path.write_text(json.dumps(data))
    return load_stack([str(path)], {"HOME": "/h"}, LoadOptions(with_contents=False))


QUICK = settings(max_examples=25, suppress_health_check=list(HealthCheck))


def plans_nothing(file: StackFile) -> None:
    """A service that the daemon has as the file says, counted as unchanged, and its tasks as clean."""
    network_ids = {attachment: f"id-{attachment}" for attachment in ("st_default",)}
    for spec in service_specs("st", file, KnownIds()).values():
        wanted = to_wire(spec)
        kept = parse_service_spec(json.loads(json.dumps(wanted)))
        shown = json.loads(json.dumps(encode_spec(kept)))
        assert same_service(wanted, shown, network_ids)
        assert same_template(kept.task_template, parse_service_spec(shown).task_template)


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_has_not_changed_plans_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE / "corpus")
    plans_nothing(load_stack(CASES[name], ENVIRONMENT).file)


@QUICK
@given(text=st.text(st.sampled_from("AB=:'\"\\$ {}#\n\texport-?+"), max_size=60))
def test_any_text_is_variables_or_a_complaint(text: str) -> None:
    try:
        told = "".join(parse_dotenv(text, ".env", {"A": "1"}).values()) and ".env:"
    except ValueError as error:
        told = str(error)
    assert told in {"", ".env:"} or told.startswith(".env:")


@QUICK
@given(value=st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\0")))
def test_a_quoted_value_reads_back(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse_dotenv(f'A="{escaped}"', ".env", {}) == {"A": value}
    if "'" not in value:
        assert parse_dotenv(f"A='{value}' # c", ".env", {}) == {"A": value}


@QUICK
@given(bases=st.lists(st.lists(files(), min_size=1, max_size=1), min_size=2, max_size=3))
def test_files_laid_over_each_other_are_a_stack_or_a_complaint(
    bases: list[list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    names = []
    for number, (data,) in enumerate(bases):
        path = folder / f"over{number}.yml"
        path.write_text(json.dumps(data))
        names.append(str(path))
    try:
        loaded = load_stack(names, {"HOME": "/h"}, LoadOptions(with_contents=False))
    except ComposeError:
        return
    plans_nothing(loaded.file)


@QUICK
@given(data=files())
def test_a_file_is_a_stack_or_a_complaint(
    data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        loaded = load(folder, data)
    except ComposeError as error:
        complaint = error.message
    else:
        complaint = "f.yml"
        for spec in service_specs("st", loaded.file, KnownIds()).values():
            json.dumps(to_wire(spec))
        json.dumps(network_requests("st", loaded.file))
        text = render_config(loaded.long_form)
        again = folder / "again.yml"
        again.write_text(text.replace("$", "$$"))
        reread = load_stack([str(again)], {"HOME": "/h"}, LoadOptions(with_contents=False))
        assert render_config(reread.long_form) == text
        plans_nothing(loaded.file)
    assert "f.yml" in complaint or "env file" in complaint or "compose file" in complaint


@QUICK
@given(data=ANY)
def test_any_data_is_a_stack_or_a_complaint(
    data: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    complaints = []
    for wrapped in (data, {"services": data}, {"services": {"a": data}}):
        try:
            load(tmp_path_factory.getbasetemp(), wrapped)
        except ComposeError as error:
            complaints.append(error.message)
    assert all("f.yml" in complaint for complaint in complaints)
