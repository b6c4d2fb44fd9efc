"""Plain containers over the API: create, attach by both ways, update, files."""

import asyncio

import pytest

from hivelet.objects.container import HostConfig
from hivelet.testing.sample import CONTAINERS

ONE = CONTAINERS[0]


async def test_create_wants_an_image_that_is_here(api):
    image = next(iter(api.engine.images.values()))
    status, made = await api.ask(
        "POST", "/containers/create?name=new1", json={"Image": image.repo_tags[0], "Cmd": "ls"}
    )
    assert (status, made["Warnings"]) == (201, [])
    assert api.engine.containers[made["Id"]].name == "new1"
    assert (await api.ask("POST", "/containers/create", json={"Image": "nope"}))[0] == 404
    wrong = await api.ask("POST", "/containers/create", json={"Image": "x", "Tty": "yes"})
    assert wrong[0] == 400
    assert "cannot unmarshal string" in wrong[1]["message"]


@pytest.mark.parametrize("action", ["pause", "unpause"])
async def test_pauses(api, action):
    assert (await api.ask("POST", f"/containers/{ONE}/{action}"))[0] == 204
    assert api.engine.calls[-1] == (action, ONE)


async def test_rename_resize_and_update(api):
    assert (await api.ask("POST", f"/containers/{ONE}/rename?name=other"))[0] == 204
    assert api.engine.containers[ONE].name == "other"
    assert (await api.ask("POST", f"/containers/{ONE}/resize?h=3&w=4"))[0] == 200
    assert api.engine.calls[-1] == ("resize", ONE, 3, 4)
    status, answer = await api.ask("POST", f"/containers/{ONE}/update", json={"Memory": 7 << 20})
    assert (status, answer) == (200, {"Warnings": None})
    assert api.engine.calls[-1] == ("update", ONE, HostConfig(memory=7 << 20), {"memory"})


async def test_attach_takes_the_connection(api):
    reader, writer = await asyncio.open_unix_connection(api.socket)
    path = f"/containers/{ONE}/attach?stdin=1&stdout=1&stream=1"
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 UPGRADED")
    writer.write(b"hello")
    assert await reader.readexactly(13) == b"\x01\0\0\0\0\0\0\x05HELLO"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert api.engine.streams.closed


async def test_attach_by_a_web_socket_has_no_frames(api):
    url = f"http://d/containers/{ONE}/attach/ws?stdin=1&stdout=1&stream=1"
    async with api.session.ws_connect(url) as socket:
        await socket.send_bytes(b"hello")
        assert (await socket.receive(5)).data == b"HELLO"
        await socket.send_str("text")
        assert (await socket.receive(5)).data == b"TEXT"
    assert (await api.ask("GET", f"/containers/{ONE}/attach/ws"))[0] == 400
    assert (await api.ask("POST", f"/containers/{ONE}/attach?detachKeys=xx"))[0] == 400


async def test_files(api):
    where = f"/containers/{ONE}/archive"
    assert (await api.ask("PUT", f"{where}?path=/f&copyUIDGID=1", data=b"bytes"))[0] == 200
    assert api.engine.calls[-1] == ("copy", "/f", False, True)
    assert await api.ask("GET", f"{where}?path=/f") == (200, b"bytes")
    async with api.stream(f"{where}?path=/f", method="HEAD") as answer:
        assert answer.status == 200
        assert answer.headers["X-Docker-Container-Path-Stat"]
    status, body = await api.ask("GET", f"{where}?path=/nope")
    assert (status, "Could not find the file /nope" in body["message"]) == (404, True)
    assert (await api.ask("GET", where))[0] == 400
    assert await api.get(f"/containers/{ONE}/changes") == [{"Path": "/f", "Kind": 1}]
    assert await api.get(f"/containers/{ONE}/export") == b"bytes"
    status, made = await api.ask(
        "POST",
        f"/commit?container={ONE}&repo=a/b&changes=CMD+x&changes=USER+y&pause=0",
        data=b"null",
        headers={"Content-Type": "application/json"},
    )
    assert (status, made["Id"][:7]) == (201, "sha256:")
    asked = api.engine.calls[-1][1]
    assert (asked.reference, asked.changes, asked.pause) == (
        "a/b:latest",
        ["CMD x", "USER y"],
        False,
    )
