"""Connections to a daemon, by whichever way its address says: a unix socket, a TCP port, TLS, or ssh.

By ssh nothing listens on the network for us: `hivelet system dial-stdio` (or docker's command of the same name) is run on the
other machine, and joins its standard streams to the daemon's socket there.
"""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

from hivelet.client.address import Address, SshTarget, TlsFiles
from hivelet.errors import InvalidParameter, Unavailable

if TYPE_CHECKING:
    import ssl
    import subprocess

_CONNECT_TIMEOUT = 10.0
_SSH_TIMEOUT = 30
_FAREWELL = 5.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket that is connected already."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__("localhost")
        self._ready = sock

    def connect(self) -> None:
        """It is."""
        self.sock = self._ready


class TlsConnection(http.client.HTTPConnection):
    """HTTP by TLS."""

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        super().__init__(address.host, address.port, timeout=_CONNECT_TIMEOUT)
        self._context = context

    def connect(self) -> None:
        """Connect, and shake hands."""
        from hivelet.client.tls import TlsSocket

        super().connect()
        assert self.sock is not None
        self.sock = TlsSocket(self.sock, self._context, self.host)


class Dialer:
    """Makes connections, and ends the programs that some of them run through."""

    def __init__(self, address: Address, *, unattended: bool = False) -> None:
        self._address = address
        self._unattended = unattended
        self._programs: list[subprocess.Popen[bytes]] = []

    def connect(self) -> http.client.HTTPConnection:
        """A new connection, connected, on which reading may take any time.

        Raises:
            OSError: nobody answers.
        """
        connection = self._connection()
        connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(None)
        return connection

    def close(self) -> None:
        """End what the connections ran through; those that are open end too."""
        if not self._programs:
            return
        import subprocess

        for program in self._programs:
            try:
                program.wait(0)
            except subprocess.TimeoutExpired:
                program.terminate()
        for program in self._programs:
            try:
                program.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self._programs.clear()

    def _connection(self) -> http.client.HTTPConnection:
        address = self._address
        if address.path:
            return UnixConnection(address.path)
        if address.ssh is not None:
            return SocketConnection(self._run(self._ssh(address.ssh)))
        if address.tls is not None:
            return TlsConnection(address, _tls_context(address.tls))
        return http.client.HTTPConnection(address.host, address.port, timeout=_CONNECT_TIMEOUT)

    def _ssh(self, target: SshTarget) -> list[str]:
        program, *words = ssh_command(target)
        return [program, *(["-o", "BatchMode=yes"] if self._unattended else []), *words]

    def _run(self, argv: list[str]) -> socket.socket:
        """Start a program whose standard streams are the other end of the answer; its complaints go to ours."""
        import subprocess

        ours, theirs = socket.socketpair()
        try:
            errors = subprocess.DEVNULL if self._unattended else None
            program = subprocess.Popen(
                argv, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=errors
            )
        except FileNotFoundError as error:
            ours.close()
            raise Unavailable(
                f"the program {argv[0]} is not installed here; apt-get install openssh-client"
            ) from error
        finally:
            theirs.close()
        self._programs.append(program)
        return ours


def ssh_command(target: SshTarget) -> list[str]:
    """The ssh call that reaches the daemon of another machine; hivelet's own program there is asked first."""
    import shlex

    named = f" --host {shlex.quote(f'unix://{target.socket}')}" if target.socket else ""
    far = (
        f"if command -v hivelet >/dev/null 2>&1; then exec hivelet{named} system dial-stdio; "
        f"else exec docker{named} system dial-stdio; fi"
    )
    user = ["-l", target.user] if target.user else []
    port = ["-p", str(target.port)] if target.port else []
    options = ["-o", f"ConnectTimeout={_SSH_TIMEOUT}", "-T"]
    return ["ssh", *options, *user, *port, "--", target.host, f"sh -c {shlex.quote(far)}"]


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    import ssl

    used = ", ".join(filter(None, (files.ca, files.certificate, files.key))) or "none"
    try:
        context = ssl.create_default_context(cafile=files.ca or None if files.verify else None)
        if not files.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if files.certificate or files.key:
            context.load_cert_chain(files.certificate, files.key or None)
    except OSError as error:
        raise InvalidParameter(
            f"the TLS files cannot be used ({used}): {error}; DOCKER_CERT_PATH names the directory with "
            "ca.pem, cert.pem and key.pem, or give --tlscacert, --tlscert and --tlskey"
        ) from error
    return context
