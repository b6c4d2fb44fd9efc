"""Secrets and configs of the swarm: the same routes for both, since all that tells them apart is in their `Kind`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web

from hivelet.api.backend.swarm import SwarmBackend
from hivelet.api.call import Call, done, reply
from hivelet.api.openapi import answers
from hivelet.api.openapi.declaration import Says, Schema
from hivelet.api.openapi.schemas import several
from hivelet.api.router import Answer, Route, route
from hivelet.convert import secret as convert
from hivelet.convert.query import object_version
from hivelet.convert.shape import Json
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec

F = TypeVar("F", Secret, Config)
S = TypeVar("S", SecretSpec, ConfigSpec)


@dataclass(frozen=True, slots=True)
class Files(Generic[F, S]):
    """What the cluster does with those of one kind."""

    list: Callable[[], Awaitable[Sequence[F]]]
    get: Callable[[str], Awaitable[F]]
    create: Callable[[S], Awaitable[str]]
    update: Callable[[str, int, S], Awaitable[None]]
    remove: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[F, S]):
    """What tells secrets from configs."""

    noun: str
    since: str
    spec: type[S]
    answer: Schema
    parse: Callable[[Json], S]
    encode: Callable[[F], Json]
    files: Callable[[SwarmBackend], Files[F, S]]


def routes_of(kind: Kind[F, S]) -> tuple[Route, ...]:
    """The rows of one kind."""

    async def list_files(call: Call) -> web.Response:
        filters = call.filters(convert.FILTERS)
        chosen = convert.select_files(await kind.files(call.swarm).list(), filters)
        return reply([kind.encode(file) for file in chosen])

    async def inspect_file(call: Call) -> web.Response:
        return reply(kind.encode(await kind.files(call.swarm).get(call.ref)))

    async def create_file(call: Call) -> web.Response:
        spec = kind.parse(await call.json())
        return reply({"ID": await kind.files(call.swarm).create(spec)}, status=201)

    async def update_file(call: Call) -> web.Response:
        version = object_version(call.query, kind.noun)
        spec = kind.parse(await call.json())
        await kind.files(call.swarm).update(call.ref, version, spec)
        return done()

    async def remove_file(call: Call) -> web.Response:
        await kind.files(call.swarm).remove(call.ref)
        return done(204)

    def row(method: str, path: str, answer: Answer, says: Says) -> Route:
        # The documentation calls a route by the name of what answers it.
        answer.__name__ = answer.__name__.replace("file", kind.noun)
        return route(method, f"/{kind.noun}s{path}", answer, says, since=kind.since)

    filed = several(kind.answer)
    created = Says(body=kind.spec, statuses=(201,), answer=answers.CREATED_WITH_ID, errors=(409,))
    return (
        row("GET", "", list_files, Says(filters=convert.FILTERS, answer=filed)),
        row("POST", "/create", create_file, created),
        row("GET", "/{ref}", inspect_file, Says(answer=kind.answer)),
        row("POST", "/{ref}/update", update_file, Says(query="version:integer!", body=kind.spec)),
        row("DELETE", "/{ref}", remove_file, Says(statuses=(204,))),
    )


SECRETS = Kind(
    noun="secret",
    since="1.25",
    spec=SecretSpec,
    answer=answers.SECRET,
    parse=convert.parse_secret_spec,
    encode=convert.encode_secret,
    files=lambda swarm: Files(
        swarm.list_secrets,
        swarm.get_secret,
        swarm.create_secret,
        swarm.update_secret,
        swarm.remove_secret,
    ),
)
CONFIGS = Kind(
    noun="config",
    since="1.30",
    spec=ConfigSpec,
    answer=answers.CONFIG,
    parse=convert.parse_config_spec,
    encode=convert.encode_config,
    files=lambda swarm: Files(
        swarm.list_configs,
        swarm.get_config,
        swarm.create_config,
        swarm.update_config,
        swarm.remove_config,
    ),
)

ROUTES = (*routes_of(SECRETS), *routes_of(CONFIGS))
