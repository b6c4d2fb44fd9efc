"""A real Docker Engine in namespaces of its own, and a client that keeps what it was asked and what it answered.

Nothing of it reaches the host: the daemon has its own network, mount and process namespaces, its own directories and
its own socket, and dies with the process that started it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

API = "/v1.41"

_ETC = Path("/etc/docker")

_SETUP = """
set -e
ip link set lo up
ip link add eth0 type veth peer name eth0peer
ip addr add 192.168.77.2/24 dev eth0
ip link set eth0 up
ip link set eth0peer up
ip route add default via 192.168.77.1
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/docker
echo nameserver 127.0.0.1 >/run/resolv.conf
mount --bind /run/resolv.conf "$(readlink -f /etc/resolv.conf)" 2>/dev/null || true
exec dockerd -H unix://$ROOT/docker.sock --data-root $ROOT/data --exec-root $ROOT/exec \\
  --pidfile $ROOT/docker.pid >$ROOT/log 2>&1
"""


class Oracle:
    """A running dockerd. `programs` is where its binaries lie, where they are not on the PATH."""

    def __init__(self, programs: str = "") -> None:
        self.root = Path(tempfile.mkdtemp(prefix="oracle-"))
        self._made_etc = not _ETC.exists()
        _ETC.mkdir(
            exist_ok=True
        )  # dockerd wants to keep its key there; it gets a scratch one mounted on top
        path = f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]
        self._process = subprocess.Popen(
            [
                "unshare",
                "-n",
                "-m",
                "-p",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "bash",
                "-c",
                _SETUP,
            ],
            env={**os.environ, "PATH": path, "ROOT": str(self.root)},
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not start: {self._log()}")
            time.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._inner_pid(), signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # containerd's shims write their last words a moment after dockerd has ended.
        for _ in range(50):
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                break
            time.sleep(0.1)
        if self._made_etc:
            _ETC.rmdir()

    @property
    def socket(self) -> str:
        return str(self.root / "docker.sock")

    def _inner_pid(self) -> int:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return int(children.split()[0])

    def _answers(self) -> bool:
        try:
            return ask(self.socket, "GET", "/_ping")[0] == 200
        except OSError:
            return False

    def _log(self) -> str:
        log = self.root / "log"
        return log.read_text()[-2000:] if log.exists() else "no log"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def ask(
    path: str, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """One request; the answer's status, headers and body."""
    connection = UnixConnection(path)
    try:
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        connection.request(method, target, raw, {"Content-Type": kind, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


class Recorder:
    """Asks, and keeps every exchange under a name, with all that differs from run to run masked.

    The same id is masked by the same word everywhere, so that a record's inner relations can be tested.
    """

    _HEADERS = (
        "Api-Version", "Docker-Experimental", "Ostype", "Server", "Content-Type", "Swarm", "Builder-Version",
        "Cache-Control", "Pragma",
    )  # fmt: skip

    def __init__(self, socket_path: str, folder: Path) -> None:
        self._socket = socket_path
        self._folder = folder
        self._scene: dict[str, Any] = {}
        self._words: dict[str, str] = {}

    def ask(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Ask without recording; the decoded answer."""
        return self._decode(ask(self._socket, method, self._versioned(target), body, headers))

    def record(
        self,
        name: str,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Ask, and keep the exchange; the decoded answer, unmasked."""
        target = self._versioned(target)
        answer = ask(self._socket, method, target, body, headers)
        decoded = self._decode(answer)
        shown = f"<{len(body)} bytes>" if isinstance(body, bytes) else body
        entry = {
            "request": {"method": method, "path": target, "body": shown},
            "status": answer[0],
            "headers": {k: v for k, v in answer[1].items() if k in self._HEADERS},
            "answer": decoded,
        }
        if name in self._scene:
            raise ValueError(f"{name} is recorded twice")
        self._scene[name] = entry
        return decoded

    def note(self, name: str, value: Any) -> None:
        """Keep something that was put together from several answers."""
        self._scene[name] = {"observed": value}

    def save(self, scene: str) -> None:
        """Write all exchanges since the last save."""
        text = json.dumps(self._scene, indent=1, sort_keys=False, ensure_ascii=False)
        (self._folder / f"{scene}.json").write_text(self._mask(text) + "\n")
        self._scene = {}

    @staticmethod
    def _versioned(target: str) -> str:
        return target if target.startswith(("/v1.", "/v0.", "//")) else API + target

    @staticmethod
    def _decode(answer: tuple[int, dict[str, str], bytes]) -> Any:
        text = answer[2].decode(errors="backslashreplace")
        try:
            return json.loads(text) if text else None
        except json.JSONDecodeError:
            try:
                return [json.loads(line) for line in text.splitlines()]
            except json.JSONDecodeError:
                return text

    def _mask(self, text: str) -> str:
        root = str(Path(self._socket).parent)
        text = text.replace(root, "/oracle")
        text = re.sub(r"\b[A-Z2-7]{4}(:[A-Z2-7]{4}){11}\b", "MASK:" * 11 + "MASK", text)
        text = re.sub(r"SWMTKN-1-[0-9a-z-]+", "SWMTKN-1-masked", text)
        text = re.sub(r"SWMKEY-1-[^\"]+", "SWMKEY-1-masked", text)
        text = re.sub(r"-----BEGIN CERT[^\"]+", "-----BEGIN CERTIFICATE----- masked\\\\n", text)
        text = re.sub(r'"(CertIssuer\w+)": "[^"]+"', r'"\1": "bWFza2Vk"', text)
        text = re.sub(r"\b20\d\d-\d\d-\d\dT[\d:]{8}\.\d+", "2024-05-06T07:08:09.123456789", text)
        text = re.sub(r"\b20\d\d-\d\d-\d\dT[\d:]{8}(?=Z|\+)", "2024-05-06T07:08:09", text)
        text = re.sub(r"\b1[78]\d{8}\b", "1714979289", text)
        text = re.sub(r"\b1[78]\d{17}\b", "1714979289123456789", text)
        text = re.sub(r"(127\.0\.0\.1|192\.168\.77\.2):\d{5}\b", r"\1:40000", text)
        text = re.sub(r"\b[0-9a-f]{64}\b", lambda m: self._word("hex", m[0], 64), text)
        text = re.sub(
            r"\b(?=[a-z0-9]*[0-9])(?=[a-z0-9]*[a-z])[a-z0-9]{25}\b",
            lambda m: self._word("id", m[0], 25),
            text,
        )
        for raw, word in list(self._words.items()):
            text = re.sub(rf"\b{raw[:12]}\b", word[:12], text)
        return text

    def _word(self, kind: str, raw: str, length: int) -> str:
        if raw not in self._words:
            count = sum(1 for word in self._words.values() if len(word) == length) + 1
            number = f"{count:x}" if kind == "hex" else f"{count}"
            digest = "0a" if kind == "hex" else "q9"
            self._words[raw] = (number.rjust(4, "0") + digest * length)[:length]
        return self._words[raw]
