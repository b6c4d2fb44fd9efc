"""Execs over the API: the connection that is taken over, frames, detach keys, clients that leave."""

import asyncio
import select
import socket

import pytest

from hivelet.testing.sample import CONTAINERS

UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")


async def create(api, **config):
    body = {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True, **config}
    status, made = await api.ask("POST", f"/containers/{CONTAINERS[0]}/exec", json=body)
    assert status == 201, made
    return made["Id"]


async def start(api, exec_id, *headers, version="/v1.47", body=b"{}"):
    """The connection after the answer's head, and the head."""
    reader, writer = await asyncio.open_unix_connection(api.socket)
    lines = [f"POST {version}/exec/{exec_id}/start HTTP/1.1", "Host: d", *headers]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return reader, writer, head


@pytest.mark.parametrize(
    ("version", "tty", "kind"),
    [
        ("/v1.47", False, "application/vnd.docker.multiplexed-stream"),
        ("/v1.41", False, "application/vnd.docker.raw-stream"),
        ("/v1.47", True, "application/vnd.docker.raw-stream"),
    ],
)
async def test_an_upgrade_is_answered_by_101(api, version, tty, kind):
    exec_id = await create(api, Tty=tty)
    _, writer, head = await start(api, exec_id, *UPGRADE, version=version)
    assert head.startswith("HTTP/1.1 101 UPGRADED\r\n")
    assert f"Content-Type: {kind}\r\n" in head
    assert "Upgrade: tcp\r\n" in head
    writer.close()


async def test_old_clients_get_200_and_the_same_stream(api):
    reader, writer, head = await start(api, await create(api))
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    writer.write(b"abc")
    assert await reader.readexactly(11) == b"\x01\0\0\0\0\0\0\x03ABC"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_output_does_not_come_along_with_the_head(api):
    """docker-py loses what it reads together with the head: however late it reads, that comes alone."""
    exec_id = await create(api, AttachStdin=False)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        await loop.sock_connect(client, api.socket)
        body = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        start = f"POST /v1.47/exec/{exec_id}/start HTTP/1.1\r\nHost: d\r\n".encode()
        await loop.sock_sendall(client, start + body)
        while not select.select([client], [], [], 0)[0]:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        head = client.recv(65536)
        assert head.endswith(b"\r\n\r\n")
        assert await loop.sock_recv(client, 65536) == b"\x01\0\0\0\0\0\0\x06hello\n"


async def test_a_terminal_has_no_frames_and_can_be_left(api):
    reader, writer, _ = await start(api, await create(api, Tty=True), *UPGRADE)
    writer.write(b"ab")
    assert await reader.readexactly(2) == b"AB"
    writer.write(b"c\x10\x11")
    await reader.read()
    assert (api.engine.streams.ending, api.engine.streams.closed) == ("detached", True)
    writer.close()


async def test_a_client_that_leaves_ends_what_feeds_it(api):
    reader, writer, _ = await start(api, await create(api), *UPGRADE)
    writer.write(b"ab")
    await reader.readexactly(10)
    writer.transport.abort()
    async with asyncio.timeout(5):
        while not api.engine.streams.closed:
            await asyncio.sleep(0)


async def test_others_are_served_while_a_connection_is_taken(api):
    _, writer, _ = await start(api, await create(api), *UPGRADE)
    assert (await api.get("/_ping")) == b"OK"
    writer.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/exec/nope/start", {}, 404, "No such exec instance: nope"),
        ("/exec/nope/resize?h=1&w=1", None, 404, "No such exec instance: nope"),
        ("/exec/{id}/resize?h=x&w=1", None, 400, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("/exec/{id}/resize?w=1", None, 400, 'strconv.Atoi: parsing "": invalid syntax'),
        (
            "/containers/{c}/exec",
            {"Cmd": ["x"], "DetachKeys": "nokey"},
            400,
            "Invalid detach keys (nokey) provided",
        ),
        ("/containers/{c}/exec", {"Cmd": ["x"], "ConsoleSize": [1]}, 400, "ConsoleSize"),
        ("/containers/nope/exec", {"Cmd": ["x"]}, 404, "No such container: nope"),
    ],
)
async def test_what_is_refused(api, path, body, status, message):
    path = path.format(id=await create(api), c=CONTAINERS[0])
    answer = await api.ask("POST", path, **({} if body is None else {"json": body}))
    assert answer[0] == status
    assert message in answer[1]["message"]


async def test_inspect_in_dockers_shape(api):
    exec_id = await create(api, Cmd=["sh", "-c", "x"], User="me", Privileged=True)
    before = await api.get(f"/exec/{exec_id}/json")
    assert before == {
        "ID": exec_id,
        "Running": False,
        "ExitCode": None,
        "ProcessConfig": {
            "tty": False,
            "entrypoint": "sh",
            "arguments": ["-c", "x"],
            "privileged": True,
            "user": "me",
        },
        "OpenStdin": True,
        "OpenStderr": False,
        "OpenStdout": True,
        "CanRemove": False,
        "ContainerID": CONTAINERS[0],
        "DetachKeys": "",
        "Pid": 0,
    }
    status, _ = await api.ask("POST", f"/exec/{exec_id}/start", json={"Detach": True})
    assert status == 200
    assert (await api.get(f"/exec/{exec_id}/json"))["ExitCode"] == 0
    _, writer, head = await asyncio.wait_for(start(api, exec_id, *UPGRADE), 5)
    assert head.startswith("HTTP/1.1 409 ")
    writer.close()


async def test_resize_reaches_the_engine(api):
    exec_id = await create(api)
    assert (await api.ask("POST", f"/exec/{exec_id}/resize?h=40&w=100"))[0] == 200
    assert api.engine.calls[-1] == ("resize", exec_id, 40, 100)
