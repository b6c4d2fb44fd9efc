"""Backups: hivelet's own routes, under a path that Docker does not have."""

from __future__ import annotations

import base64

from aiohttp import web

from hivelet.api.backend.backups import BackupBackend
from hivelet.api.call import Call, done, reply
from hivelet.api.openapi.declaration import TAR, Says
from hivelet.api.openapi.schemas import record
from hivelet.api.router import route
from hivelet.errors import InvalidParameter, NotImplemented

_KEY = "X-Hivelet-Key"
_LIMIT = 1 << 30
"""Bytes of a backup: a hundred times what ten thousand tasks need."""


async def make_backup(call: Call) -> web.Response:
    """`GET /hivelet/backup`: a tar."""
    return web.Response(body=await _backups(call).make_backup(), content_type="application/x-tar")


async def read_backup_key(call: Call) -> web.Response:
    """`GET /hivelet/backup/key`: the key file of the state, in base64."""
    return reply({"Key": base64.b64encode(await _backups(call).read_key()).decode()})


async def show_restore(call: Call) -> web.Response:
    """`GET /hivelet/restore`: whether a backup is yet to be taken over."""
    return reply({"Pending": _backups(call).pending})


async def restore_backup(call: Call) -> web.Response:
    """`POST /hivelet/restore`: the body is a backup, the header its key file in base64; the daemon's parts start anew with it."""
    archive = bytearray()
    async for chunk in call.body("backup"):
        archive += chunk
        if len(archive) > _LIMIT:
            raise InvalidParameter(f"a backup has at most {_LIMIT >> 20} MiB")
    try:
        key = base64.b64decode(call.request.headers.get(_KEY, ""), validate=True)
    except ValueError as error:
        raise InvalidParameter(f"the header {_KEY} is no base64") from error
    await _backups(call).restore(bytes(archive), key, force=call.flag("force"))
    return done()


def _backups(call: Call) -> BackupBackend:
    if call.backends.backups is None:
        raise NotImplemented("this daemon makes no backups")
    return call.backends.backups


ROUTES = (
    route("GET", "/hivelet/backup", make_backup, Says(content=TAR, errors=(501,))),
    route(
        "GET",
        "/hivelet/backup/key",
        read_backup_key,
        Says(answer=record("Key:text"), errors=(404, 501)),
    ),
    route(
        "GET", "/hivelet/restore", show_restore, Says(answer=record("Pending:flag"), errors=(501,))
    ),
    route(
        "POST",
        "/hivelet/restore",
        restore_backup,
        Says(query="force:flag", headers=(_KEY,), body=TAR, errors=(409, 501)),
    ),
)
