"""The door by which batches go to the kernel: one socket, which stays open.

The kernel carries out a batch while it is being sent: its answers wait when `send` returns. Asked for is one for
the last command, which comes if all is in effect; refused commands are answered unasked.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import socket

from hivelet.network.netlink import nlmsg
from hivelet.network.nfwire.batch import FIRST, Batch
from hivelet.network.nfwire.uapi import NETLINK_NETFILTER

_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_SO_SNDBUFFORCE = 32
_SPARE = 4096
"""Of the send buffer, which a packet must not fill to the last byte."""
_ANSWER = 1 << 16
_NUMBER_BITS = 62
_TO_KERNEL = (0, 0)


class BatchRefused(Exception):
    """The kernel has refused a batch; nothing of it is in effect. The message names the line, as nft would."""


class BatchUnanswered(Exception):
    """The kernel's answer is lost: either all of a batch is in effect or nothing."""


class BatchDoor:
    """nftables in the namespace in which this was made. Not thread-safe."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        self.numbers = itertools.count(secrets.randbits(_NUMBER_BITS))
        """For anonymous sets, among which are those of a hiveletd that has been before."""
        try:
            # Answers without the request in them: refusals of a long batch fit into the buffer.
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        except BaseException:
            self._socket.close()
            raise

    def carry_out(self, batch: Batch) -> None:
        """Send a batch; when this returns all of it is in effect.

        Raises:
            BatchRefused: nothing of it is.
            BatchUnanswered: it is not known.
        """
        try:
            self._make_room(len(batch.packet))
            self._socket.sendto(batch.packet, _TO_KERNEL)
        except OSError as error:
            raise BatchRefused(f"Could not send the rules: {error.strerror}") from error
        answers, lost = self._read_answers()
        refused = {place: number for place, number in answers.items() if number}
        # The batch as a whole is refused at its first message, which says less than a command does.
        place = min(refused, key=lambda one: (one == FIRST, one), default=None)
        if place is not None:
            raise BatchRefused(_describe(batch, place, refused[place]))
        if batch.last not in answers:
            raise BatchUnanswered(lost or "no answer")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _make_room(self, size: int) -> None:
        have = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        if size + _SPARE > have:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, size + _SPARE)

    def _read_answers(self) -> tuple[dict[int, int], str]:
        """The errors of all messages that were answered, 0 for one that was accepted; and why answers were lost, if some were."""
        answers: dict[int, int] = {}
        lost = ""
        while True:
            try:
                packet = self._socket.recv(_ANSWER, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return answers, lost
            except OSError as error:
                lost = os.strerror(error.errno or errno.EIO)
                if error.errno != errno.ENOBUFS:
                    return answers, lost
                continue
            for kind, sequence, body in nlmsg.split_messages(packet):
                if kind == nlmsg.ERROR:
                    answers[sequence] = nlmsg.error_number(body)


def _describe(batch: Batch, place: int, number: int) -> str:
    line = batch.lines[place - FIRST - 1] if place > FIRST else ""
    return f"Could not process rule: {os.strerror(number)}\n{line}".rstrip()
