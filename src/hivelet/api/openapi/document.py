"""The routes' declarations as one OpenAPI document. Pure; a daemon answers with it at `/openapi.json`.

Every route may answer some errors that are not in its row: 400 for a version that is not served, 404 where its path names an
object, 503 where it is the swarm's and this node is no manager, 500 for a defect of hivelet's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import hivelet
from hivelet.api.openapi.declaration import JSON, Parameter, Says, Schema
from hivelet.api.openapi.schemas import components, plain, record, struct
from hivelet.convert.versions import MAXIMUM, MINIMUM

if TYPE_CHECKING:
    from hivelet.api.router import Route

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")

_SWARMS = ("swarm", "nodes", "services", "tasks", "secrets", "configs", "networks")
"""First segments of paths that ask the swarm."""

_ABOUT = f"""The Docker Engine API as hivelet serves it, versions {MINIMUM} to {MAXIMUM}.
A path may begin with a version (`/v{MAXIMUM}/services`); `x-since` is the first that has the endpoint. Keys of a body are read
in any case, unknown ones are ignored, and null is the same as a key that is not there, all as in Docker."""

_REFUSALS = (400, 401, 403, 404, 408, 409, 413, 500, 501, 503)
"""The statuses of errors: those of `hivelet.api.errors`."""

_ERROR = record("message:text")

_KINDS: dict[str, Schema] = {
    "flag": {"type": "boolean"},
    "integer": {"type": "integer"},
    "text": {"type": "string"},
    "time": {"type": "string"},
    "json": {"type": "string", "contentMediaType": JSON},
    "texts": {"type": "array", "items": {"type": "string"}},
}


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The document."""
    rows = list(routes)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        path = _PARAMETER.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row)
    schemas = components(_schemas(rows))
    return {
        "openapi": "3.1.0",
        "info": {"title": "hivelet", "version": hivelet.__version__, "description": _ABOUT},
        "servers": [{"url": "/", "description": "the socket, /run/hivelet.sock"}],
        "paths": plain(paths),
        "components": {
            "schemas": {"Error": _ERROR, **schemas},
            "responses": {_refusal_name(status): _refusal(status) for status in _REFUSALS},
        },
    }


def _operation(row: Route) -> dict[str, Any]:
    says = row.says
    operation: dict[str, Any] = {
        "operationId": row.method.lower() + _PARAMETER.sub(r"\1", row.path).replace("/", "-"),
        "summary": _summary(row),
        "tags": [row.path.split("/")[1]],
        "x-since": str(row.since),
    }
    if row.missing:
        return operation | {
            "parameters": _path_parameters(row),
            "responses": {"501": _refused(501)},
        }
    operation["parameters"] = [
        *_path_parameters(row),
        *(_query_parameter(one, says) for one in says.parameters),
        *({"name": name, "in": "header", "schema": {"type": "string"}} for name in says.headers),
    ]
    if says.body is not None:
        operation["requestBody"] = _body(says)
    operation["responses"] = {
        **{str(status): _success(row, status) for status in says.statuses},
        **{str(status): _refused(status) for status in sorted(_refusals(row))},
    }
    return operation


def _summary(row: Route) -> str:
    """The rest of what the route's docstring says after its path."""
    first = (row.answer.__doc__ or "").strip().partition("\n")[0]
    _, _, rest = first.partition(": ")
    return rest or row.answer.__name__.replace("_", " ")


def _path_parameters(row: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": match[1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            "description": "an image's name"
            if match[2] and not row.path.startswith("/containers/")
            else "an id, its beginning, or a name",
        }
        for match in _PARAMETER.finditer(row.path)
    ]


def _query_parameter(one: Parameter, says: Says) -> dict[str, Any]:
    described: dict[str, Any] = {"name": one.name, "in": "query", "schema": _KINDS[one.kind]}
    if one.required:
        described["required"] = True
    if one.name == "filters":
        keys = ", ".join(f"`{key}`" for key in says.filters)
        described["description"] = f'JSON, `{{"KEY": ["VALUE"]}}`; keys: {keys}'
    return described


def _body(says: Says) -> dict[str, Any]:
    if isinstance(says.body, str):
        schema: Schema = {"type": "string", "format": "binary"}
        content = says.body
    else:
        assert says.body is not None
        schema = struct(says.body) if isinstance(says.body, type) else says.body
        content = JSON
    return {"required": not says.body_optional, "content": {content: {"schema": schema}}}


def _success(row: Route, status: int) -> dict[str, Any]:
    says = row.says
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if status != says.statuses[0] or status in {101, 204, 304} or row.method == "HEAD":
        return answer
    kinds = (says.content,) if isinstance(says.content, str) else says.content
    if kinds != (JSON,):
        answer["content"] = {kind: {} for kind in kinds}
    elif says.answer is not None:
        answer["content"] = {JSON: {"schema": says.answer}}
    return answer


def _refused(status: int) -> Schema:
    return {"$ref": f"#/components/responses/{_refusal_name(status)}"}


def _refusal_name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _refusal(status: int) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _refusals(row: Route) -> set[int]:
    usual = {400, 500}
    if _PARAMETER.search(row.path):
        usual.add(404)
    if row.path.split("/")[1] in _SWARMS:
        usual.add(503)
    if row.says.body is not None:
        # An archive may be of any size.
        usual |= {408} if isinstance(row.says.body, str) else {408, 413}
    return usual | set(row.says.errors)


def _schemas(rows: Iterable[Route]) -> Iterator[Schema]:
    for row in rows:
        says = row.says
        if says.answer is not None:
            yield says.answer
        if isinstance(says.body, type):
            yield struct(says.body)
        elif says.body is not None and not isinstance(says.body, str):
            yield says.body
