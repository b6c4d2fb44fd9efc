"""The ways in to the API: who may open the socket, and who gets through TCP."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import figures
from harness.certificates import make_authority, make_certificate
from harness.daemons import Hiveletd
from harness.machine import ADDRESS, OUTSIDE, Machine

pytestmark = pytest.mark.slow

PORT = 2376


class Masked(Hiveletd):
    """hiveletd that is started with some umask."""

    def __init__(self, machine: Machine, umask: str, *options: str) -> None:
        super().__init__(machine, *options)
        self.umask = umask

    def argv(self) -> list[str]:
        return ["sh", "-c", f'umask {self.umask}; exec "$@"', "sh", *super().argv()]


@pytest.mark.parametrize(
    ("groups", "umask", "group"),
    [
        ("root:x:0:\ndocker:x:4343:\nhivelet:x:4242:\n", "000", 4242),
        ("root:x:0:\ndocker:x:4343:\n", "022", 4343),
        ("root:x:0:\n", "077", 0),
    ],
    ids=["hivelet", "docker", "neither"],
)
def test_the_socket_is_for_root_and_one_group(
    machine: Machine, groups: str, umask: str, group: int
) -> None:
    (machine.dir / "group").write_text(groups)
    machine.run(["mount", "--bind", str(machine.dir / "group"), "/etc/group"])
    daemon = Masked(machine, umask)
    # The second one finds the socket of one that was killed, and takes its place.
    for _ in range(2 if group == 4242 else 1):
        daemon.start()
        found = daemon.socket.lstat()
        assert stat.S_ISSOCK(found.st_mode)
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o660, 0, group)
        daemon.kill()
    everything = [path for path in (daemon.root, *daemon.root.rglob("*")) if not path.is_symlink()]
    assert [path for path in everything if path.lstat().st_mode & 0o022] == []
    # Below every container's root, whoever its user is.
    assert stat.S_IMODE((daemon.root / "snapshots/.base/etc").lstat().st_mode) == 0o755


ATTEMPT = """
import json, socket, ssl, sys
tries = json.load(sys.stdin)
outcomes = {}
for name, t in tries.items():
    try:
        end = socket.create_connection((t["address"], t["port"]), timeout=20)
        if t["tls"]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(t["ca"])
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = t["tls"]
            if t["certificate"]:
                context.load_cert_chain(*t["certificate"])
            end = context.wrap_socket(end, server_hostname=t["address"])
        end.sendall(b"GET /_ping HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n")
        said = b""
        while more := end.recv(65536):
            said += more
        outcomes[name] = said.decode(errors="replace")[:15]
    except OSError as error:
        outcomes[name] = type(error).__name__
json.dump(outcomes, sys.stdout)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        make_authority(folder, name)
    make_certificate(folder, "ca", "server", f"subjectAltName=IP:{ADDRESS},IP:127.0.0.1\n")
    client = "extendedKeyUsage=clientAuth\n"
    make_certificate(folder, "ca", "client", client)
    make_certificate(folder, "ca", "expired", client, days=-1)
    make_certificate(folder, "ca", "no-client", "extendedKeyUsage=serverAuth\n")
    make_certificate(folder, "other", "stranger", client)
    return folder


@pytest.fixture(scope="module")
def remote(files: Path) -> Iterator[Hiveletd]:
    with Machine("doors") as machine:
        options = ["--tlscacert=ca.pem", "--tlscert=server.pem", "--tlskey=server-key.pem"]
        words = [word.replace("=", f"={files}/") for word in options]
        hosts = ["-H", f"tcp://{ADDRESS}:{PORT}", "-H", f"tcp://127.0.0.1:{PORT}"]
        daemon = Hiveletd(machine, "--tlsverify", *words, *hosts)
        daemon.start()
        yield daemon
        assert daemon.stop() == 0


def test_only_a_certificate_of_the_authority_gets_through_tcp(
    remote: Hiveletd, files: Path
) -> None:
    def attempt(
        address: str, certificate: str, tls: int = ssl.TLSVersion.TLSv1_3
    ) -> dict[str, object]:
        pair = (
            [f"{files}/{certificate}.pem", f"{files}/{certificate}-key.pem"]
            if certificate
            else None
        )
        where = {"address": address, "port": PORT, "ca": f"{files}/ca.pem"}
        return {**where, "certificate": pair, "tls": int(tls)}

    for address, where in ((ADDRESS, OUTSIDE), ("127.0.0.1", "inside")):
        tries = {
            "allowed": attempt(address, "client"),
            "allowed by TLS 1.2": attempt(address, "client", ssl.TLSVersion.TLSv1_2),
            "without": attempt(address, ""),
            "without, TLS 1.2": attempt(address, "", ssl.TLSVersion.TLSv1_2),
            "of another authority": attempt(address, "stranger"),
            "expired": attempt(address, "expired"),
            "of a server": attempt(address, "no-client"),
            "TLS 1.1": attempt(address, "client", ssl.TLSVersion.TLSv1_1),
            "plain HTTP": attempt(address, "", 0),
        }
        done = remote.machine.run(
            [sys.executable, "-W", "ignore", "-c", ATTEMPT], where=where, input=json.dumps(tries)
        )
        outcomes = json.loads(done.stdout)
        served = {name for name, said in outcomes.items() if said == "HTTP/1.1 200 OK"}
        assert served == {"allowed", "allowed by TLS 1.2"}, outcomes
        assert not any(
            said.startswith("HTTP") for name, said in outcomes.items() if name not in served
        )


FLOOD = """
import socket, sys
ends = []
for kind, count in (("silent", 150), ("half", 150)):
    for _ in range(count):
        end = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
        if kind == "half":
            end.sendall(b"\\x16\\x03\\x01\\x02\\x00\\x01")
        ends.append(end)
print("flooded", flush=True)
sys.stdin.read()
"""


def test_strangers_at_the_tcp_port_keep_nobody_out(remote: Hiveletd, files: Path) -> None:
    """Three hundred connections that never shake hands; who has a certificate is served meanwhile."""
    flood = remote.machine.popen(
        [sys.executable, "-c", FLOOD, ADDRESS, str(PORT)],
        where=OUTSIDE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert flood.popen.stdout is not None
    assert flood.popen.stdout.readline() == "flooded\n"
    pair = [f"{files}/client.pem", f"{files}/client-key.pem"]
    one = {"address": ADDRESS, "port": PORT, "ca": f"{files}/ca.pem", "certificate": pair}
    tries = {str(number): {**one, "tls": int(ssl.TLSVersion.TLSv1_3)} for number in range(50)}
    done = remote.machine.run(
        [sys.executable, "-W", "ignore", "-c", ATTEMPT], where=OUTSIDE, input=json.dumps(tries)
    )
    outcomes = json.loads(done.stdout)
    lost = sum(said != "HTTP/1.1 200 OK" for said in outcomes.values())
    assert lost == 0, outcomes
    # Those that are let wait are few.
    open_files = len(list(Path(f"/proc/{remote.pid}/fd").iterdir()))
    assert open_files < 300
    figures.measured("strangers at the TCP port", injected=300, requests=50, lost=lost)
    flood.popen.stdout.close()
    flood.end()
