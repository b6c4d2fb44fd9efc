"""Versions, headers, errors, and what becomes of a request whose client leaves."""

import asyncio
from io import BytesIO

import aiohttp
import pytest

from hivelet import errors
from hivelet.api.errors import PageNotFound, message_of, status_of
from hivelet.api.router import Router, route
from hivelet.api.routes import ALL_ROUTES
from hivelet.errors import InvalidParameter


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("prefix", ["", "/v1.24", "/v1.47"])
async def test_ping_negotiates(api, method, prefix):
    async with api.stream(f"{prefix}/_ping", method) as answer:
        assert answer.status == 200
        assert await answer.read() == (b"OK" if method == "GET" else b"")
        wanted = {
            "Api-Version": "1.47",
            "Docker-Experimental": "false",
            "Ostype": "linux",
            "Swarm": "active/manager",
            "Builder-Version": "1",
            "Cache-Control": "no-cache, no-store, must-revalidate",
        }
        assert wanted.items() <= dict(answer.headers).items()
        assert answer.headers["Server"].startswith("hivelet/")


async def test_ping_outside_of_a_swarm(api):
    api.swarm.cluster = None
    async with api.stream("/_ping") as answer:
        assert answer.headers["Swarm"] == "inactive"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1.99/version", 400, "client version 1.99 is too new. Maximum supported API version is 1.47"),
        ("/v1.23/version", 400, "client version 1.23 is too old. Minimum supported API version is 1.24, "
                                "please upgrade your client to a newer version"),
        ("/nope", 404, "page not found"),
        ("/v1.41/nope", 404, "page not found"),
        ("/v1.24/secrets", 404, "page not found"),
        ("/services/nope", 404, "service nope not found"),
        ("/containers/nope/json", 404, "No such container: nope"),
        ("/services?filters=%7Bbad", 400, "invalid filters"),
        ("/services?filters=%7B%22foo%22:%5B%22x%22%5D%7D", 400, "Invalid filter 'foo'"),
        ("/containers/c1/logs", 400, "Bad parameters: you must choose at least one stream"),
        ("/containers/json?limit=x", 400, "limit=x"),
        ("/images/search?term=x", 501, "hivelet does not do this yet: searching registries"),
    ],
)  # fmt: skip
async def test_errors_in_dockers_shape(api, path, status, message):
    found, body = await api.ask("GET", path)
    assert found == status
    assert list(body) == ["message"]
    assert body["message"].startswith(message)


async def test_a_wrong_method_is_a_missing_page(api):
    assert await api.ask("DELETE", "/version") == (404, {"message": "page not found"})


@pytest.mark.parametrize(
    "noun", ["services", "tasks", "nodes", "secrets", "configs", "swarm", "swarm/unlockkey"]
)
async def test_outside_of_a_swarm(api, noun):
    api.swarm.cluster = None
    status, body = await api.ask("GET", f"/v1.41/{noun}")
    assert status == 503
    assert body["message"].startswith('This node is not a swarm manager. Use "docker swarm init"')


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"{bad", {"Content-Type": "application/json"}, "not valid JSON"),
        (b"[]", {"Content-Type": "application/json"}, "must be a JSON object"),
        (b"{}", {"Content-Type": "text/plain"}, "unsupported Content-Type header (text/plain)"),
        (b"[" * 9_000, {"Content-Type": "application/json"}, "nested more than 100 deep"),
        (
            b'{"Mode":{"Replicated":{"Replicas":"two"}}}',
            {"Content-Type": "application/json"},
            "Replicas",
        ),
    ],
    ids=["json", "list", "type", "deep", "shape"],
)
async def test_bad_bodies(api, body, headers, message):
    status, answer = await api.ask("POST", "/services/create", data=body, headers=headers)
    assert status == 400
    assert message in answer["message"]


async def test_a_body_that_is_too_large(api):
    large = BytesIO(b"[" * 9_000_000)
    headers = {"Content-Type": "application/json"}
    status, answer = await api.ask("POST", "/services/create", data=large, headers=headers)
    assert (status, answer) == (413, {"message": "the request body is larger than 8 MiB"})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidParameter("x"), 400),
        (errors.Unauthorized("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.OutOfSequence(), 500),
        (errors.NotASwarmManager(), 503),
        (errors.NotImplemented("x"), 501),
        (errors.System("x"), 500),
        (errors.HiveletError("x"), 500),
    ],
)
def test_status_codes(error, status):
    assert status_of(error) == status


@pytest.mark.parametrize("words", ["", "rpc error: code = Unknown desc = "])
def test_a_stale_version_is_told_as_clients_know_it(words):
    error = errors.OutOfSequence(f"{words}update out of sequence")
    assert message_of(error) == "rpc error: code = Unknown desc = update out of sequence"


async def test_a_failure_of_ours_is_a_500_with_a_message(api, monkeypatch):
    async def broken():
        raise ZeroDivisionError

    monkeypatch.setattr(api.swarm, "list_services", broken)
    status, body = await api.ask("GET", "/services")
    assert status == 500
    assert "GET /services" in body["message"]


async def test_a_failure_of_ours_in_a_stream_is_told_before_it_begins_and_cut_off_after(
    api, monkeypatch
):
    async def broken(*_):
        raise RuntimeError("oops")

    async def half(*_):
        yield b"x"
        raise RuntimeError("oops")

    monkeypatch.setattr(api.engine, "stat_path", broken, raising=False)
    found = await api.ask("GET", "/containers/c1/archive?path=/x")
    message = "hivelet failed at GET /containers/{ref}/archive; its log says why"
    assert found == (500, {"message": message})
    monkeypatch.setattr(api.engine, "export_container", half, raising=False)
    async with api.stream("/containers/c1/export") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_a_change_is_finished_though_its_client_left(api, monkeypatch):
    begun, go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(ref):
        begun.set()
        await go.wait()
        finished.set()

    monkeypatch.setattr(api.swarm, "remove_service", slow)
    asking = asyncio.ensure_future(api.ask("DELETE", "/services/web"))
    await begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    go.set()
    await finished.wait()


def test_paths_and_parameters():
    async def answer(_):
        raise AssertionError

    router = Router(
        [
            route("GET", "/images/json", answer),
            route("GET", "/images/{ref:path}/json", answer),
            route("GET", "/things/{ref}", answer, since="1.40"),
        ]
    )
    assert router.find("GET", "/v1.41/images/h:5000/a/b:1/json")[2] == {"ref": "h:5000/a/b:1"}
    assert router.find("GET", "/images/json/")[2] == {}
    assert router.find("GET", "/things/x")[1] == (1, 47)
    for path in ("/v1.39/things/x", "/things/x/y", "/"):
        with pytest.raises(PageNotFound):
            router.find("GET", path)
    with pytest.raises(InvalidParameter):
        router.find("GET", "/v9/things/x")


def test_no_route_hides_another():
    rows = [(row.method, row.path) for row in ALL_ROUTES]
    assert len(rows) == len(set(rows))
