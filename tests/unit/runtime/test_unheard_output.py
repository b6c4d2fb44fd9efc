"""What a further process wrote before its conmon accepted anybody is not lost."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hivelet.objects.log import STDERR, STDOUT
from hivelet.runtime.attach import open_attachment
from hivelet.runtime.exec_process import unheard_output

STAMP = b"2026-01-02T03:04:05.000000001+00:00"


@pytest.mark.parametrize(
    ("log", "pieces"),
    [
        (b"", []),
        (b"%s stdout F one\n%s stdout P two" % (STAMP, STAMP), [(STDOUT, b"one\ntwo")]),
        (
            b"%s stdout F a\rb\n%s stderr F c\n%s stdout P \n" % (STAMP, STAMP, STAMP),
            [(STDOUT, b"a\rb\n"), (STDERR, b"c\n"), (STDOUT, b"")],
        ),
        (b"torn\n%s stderr F whole\n" % STAMP, [(STDERR, b"whole\n")]),
    ],
)
def test_a_log_as_pieces(tmp_path, log, pieces):
    (tmp_path / "output").write_bytes(log)
    assert unheard_output(tmp_path / "output") == pieces


def test_no_log(tmp_path):
    assert unheard_output(tmp_path / "output") == []


async def test_who_was_never_accepted_gets_it_from_the_log(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with listener:
        listener.bind(str(tmp_path / "attach"))
        listener.listen(1)
        attachment = open_attachment(tmp_path / "attach")
        attachment.unheard = asyncio.get_running_loop().create_future()
    attachment.unheard.set_result([(STDOUT, b"6\n")])
    assert [piece async for piece in attachment.output()] == [(STDOUT, b"6\n")]
    attachment.close()


async def test_who_was_accepted_does_not_get_it_twice(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "attach"))
        listener.listen(1)
        attachment = open_attachment(tmp_path / "attach")
        attachment.unheard = asyncio.get_running_loop().create_future()
        with listener.accept()[0] as conmon:
            conmon.send(b"\x026\n")
    attachment.unheard.set_result([(STDOUT, b"6\n")])
    assert [piece async for piece in attachment.output()] == [(STDOUT, b"6\n")]
    attachment.close()
