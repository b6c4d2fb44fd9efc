"""The API's description: valid, complete, and saying of each route what its code reads."""

from __future__ import annotations

import inspect
import json
import re
from types import ModuleType

import msgspec
import pytest
import schemathesis

from hivelet.api import routes
from hivelet.api.openapi.document import describe
from hivelet.api.router import Route
from hivelet.api.routes import ALL_ROUTES, tasks
from hivelet.convert import build, query, swarm
from hivelet.convert.body import convert_json

DOCUMENT = describe(ALL_ROUTES)

MODULES = sorted(
    {
        module.__name__: module for module in vars(routes).values() if inspect.ismodule(module)
    }.items()
)

READERS = {
    "log_options": query.log_options,
    "object_version": query.object_version,
    "parse_build": build,
    "parse_prune": build.parse_prune,
    "parse_rotation": swarm.parse_rotation,
    "send_task_log": tasks.send_task_log,
}
"""What reads the query on behalf of a route."""

INDIRECTLY = {
    "terminal_size": {"h", "w"},
    "AttachWish(": {"stdin", "stdout", "stderr", "logs", "stream"},
    "getall(name": {"t", "extrahosts", "securityopt"},
}
"""Parameters that are read by a name which is not in the code as such, and what stands there instead."""

_READ = re.compile(
    r'(?:\.flag\(|query\.get\(\s*|query\[|(?:flag|integer|_texts)\(query, |integer\(call\.query, |getall\()"([\w-]+)"'
)


def read_by(module: ModuleType) -> set[str]:
    """The query parameters that a module's code names."""
    code = inspect.getsource(module)
    code += "".join(
        inspect.getsource(reader) for name, reader in READERS.items() if f"{name}(" in code
    )
    found = set(_READ.findall(code))
    for words, names in INDIRECTLY.items():
        found |= names if words in code else set()
    return found


def declared_by(rows: tuple[Route, ...]) -> set[str]:
    return {parameter.name for row in rows for parameter in row.says.parameters}


@pytest.mark.parametrize(("name", "module"), MODULES, ids=[name for name, _ in MODULES])
def test_what_a_route_reads_is_declared(name: str, module: ModuleType) -> None:
    """A parameter that a module's code reads is said by one of its rows, and none is said that nothing reads."""
    read = read_by(module) - {"filters"}
    said = declared_by(getattr(module, "ROUTES", ())) - {"filters"}
    assert read - said == set()
    # "quiet" is taken and has no effect, as clients send it.
    assert said - read <= {"quiet"}, "said, and read by nothing"


def test_every_route_is_described() -> None:
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(row.method, row.path.replace(":path}", "}")) for row in ALL_ROUTES}


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
    ]
    assert len(names) == len(set(names))


def test_the_document_is_valid() -> None:
    schemathesis.openapi.from_dict(json.loads(json.dumps(DOCUMENT))).validate()


def test_every_reference_leads_somewhere() -> None:
    found = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(DOCUMENT)))
    assert found
    assert [ref for ref in found if ref[1] not in DOCUMENT["components"][ref[0]]] == []


@pytest.mark.parametrize(
    "row", [row for row in ALL_ROUTES if isinstance(row.says.body, type)], ids=lambda r: r.path
)
def test_a_body_of_the_described_keys_is_one_that_the_route_reads(row: Route) -> None:
    """What the schema calls a key is what the struct reads: each with a zero of its type."""
    body = row.says.body
    assert isinstance(body, type)
    schema = DOCUMENT["components"]["schemas"][body.__name__.lstrip("_")]
    zeros = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
    data = {
        key: zeros[part["type"]] for key, part in schema["properties"].items() if "type" in part
    }
    assert data
    assert isinstance(convert_json(data, body), msgspec.Struct)
