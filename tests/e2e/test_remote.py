"""The daemon from elsewhere: TCP with certificates of both sides, Docker's contexts, and ssh."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.certificates import make_authority, make_certificate
from harness.cli import Cli, make_cli
from harness.daemons import Daemon, Dockerd, Hiveletd
from harness.images import import_busybox
from harness.machine import ADDRESS, OUTSIDE, Machine
from harness.swarm import Swarm
from harness.waiting import wait_until

PORT = 2376
URL = f"tcp://{ADDRESS}:{PORT}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server, a client, and a client of another authority; the client's files as docker names them."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        make_authority(folder, name)
    make_certificate(folder, "ca", "server", f"subjectAltName=IP:{ADDRESS},IP:127.0.0.1\n")
    make_certificate(folder, "ca", "client", "extendedKeyUsage=clientAuth\n")
    make_certificate(folder, "other", "stranger", "extendedKeyUsage=clientAuth\n")
    for name, authority in (("client", "ca"), ("stranger", "ca")):
        (folder / name).mkdir()
        (folder / name / "ca.pem").symlink_to(folder / f"{authority}.pem")
        (folder / name / "cert.pem").symlink_to(folder / f"{name}.pem")
        (folder / name / "key.pem").symlink_to(folder / f"{name}-key.pem")
    return folder


def server_options(certificates: Path) -> list[str]:
    """What makes a daemon serve TCP."""
    files = {"tlscacert": "ca", "tlscert": "server", "tlskey": "server-key"}
    words = [f"--{option}={certificates / name}.pem" for option, name in files.items()]
    return ["--tlsverify", *words, "-H", URL]


@pytest.fixture
def remote(machine: Machine, certificates: Path) -> Iterator[Daemon]:
    """hiveletd on TCP too."""
    daemon = Hiveletd(machine, *server_options(certificates))
    daemon.start()
    yield daemon
    assert daemon.stop() == 0


class Outside(Cli):
    """A command line that runs in the machine's outside, where only TCP leads to the daemon."""

    def __init__(self, cli: Cli, machine: Machine, host: str) -> None:
        super().__init__(cli.name, cli.argv, host, machine.dir)
        self.argv = (*machine._nsenter(OUTSIDE), *cli.argv)


@pytest.mark.parametrize("name", ["docker-28", "docker-20", "hivelet"])
def test_mutual_tls(machine: Machine, remote: Daemon, certificates: Path, name: str) -> None:
    local = make_cli(name, remote.host, machine.dir)
    cli = Outside(local, machine, URL)
    cli.host = ""
    client, stranger = certificates / "client", certificates / "stranger"
    options = [
        "-H",
        URL,
        "--tlsverify",
        f"--tlscacert={client}/ca.pem",
        f"--tlscert={client}/cert.pem",
        f"--tlskey={client}/key.pem",
    ]
    assert "hivelet" in cli(*options, "version").out
    variables = {"DOCKER_HOST": URL, "HIVELET_HOST": URL, "DOCKER_TLS_VERIFY": "1"}
    known = {**variables, "DOCKER_CERT_PATH": str(client)}
    assert (
        cli("info", "--format", "{{.Name}}", env=known).out
        == local("info", "--format", "{{.Name}}").out
    )
    # Without a certificate, with one of an unknown authority, and without TLS: nothing.
    cli.fails("-H", URL, "--tlsverify", f"--tlscacert={client}/ca.pem", "version")
    cli.fails("version", env={**variables, "DOCKER_CERT_PATH": str(stranger)})
    cli.fails("-H", URL, "version")
    # A server whose authority is another one is not believed.
    cli.fails(
        "-H",
        URL,
        "--tlsverify",
        f"--tlscacert={certificates}/other.pem",
        f"--tlscert={client}/cert.pem",
        f"--tlskey={client}/key.pem",
        "version",
    )


def test_the_certificates_of_the_manual(machine: Machine, tmp_path: Path) -> None:
    """Made as the page says: clients get in by their own, and a server by its own does not."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (recipe,) = re.findall(r"^```\n(openssl .*?)^```$", page, re.MULTILINE | re.DOTALL)
    script = recipe.replace("192.0.2.10", ADDRESS)
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, check=True)
    daemon = Hiveletd(machine, *server_options(tmp_path))
    daemon.start()
    cli = Outside(make_cli("docker-20", daemon.host, machine.dir), machine, URL)
    cli.host = ""

    def words(name: str) -> list[str]:
        files = {"tlscacert": "ca", "tlscert": name, "tlskey": f"{name}-key"}
        return ["-H", URL, "--tlsverify", *(f"--{o}={tmp_path / n}.pem" for o, n in files.items())]

    assert "hivelet" in cli(*words("client"), "version").out
    cli.fails(*words("server"), "version")
    assert daemon.stop() == 0


def test_a_command_in_a_container_by_tls(
    machine: Machine, remote: Daemon, certificates: Path
) -> None:
    """What is spoken once the connection has ceased to be HTTP goes through TLS as well."""
    docker = make_cli("docker-28", remote.host, machine.dir)
    import_busybox(docker, machine.dir)
    docker("swarm", "init")
    Swarm(machine, remote, docker).create("web", 1)
    hivelet = Outside(make_cli("hivelet", "", machine.dir), machine, URL)
    known = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates / "client")}
    script = "head -c 300000 /dev/zero; echo err >&2; exit 3"
    done = hivelet("service", "exec", "web", "sh", "-c", script, env=known, status=3)
    assert (len(done.out), done.err) == (300_000, "err\n")
    known["DOCKER_HOST"] = URL
    wordy = "word\n" * 100_000
    (task,) = docker("ps", "-q", "--filter", "name=web.1").lines
    for cli in (
        hivelet,
        Outside(make_cli("docker-28", "", machine.dir), machine, URL),
        Outside(make_cli("docker-20", "", machine.dir), machine, URL),
    ):
        # The end of the input is one of the input alone: what `sort` has to say comes after it.
        cli.host = ""
        done = cli("exec", "-i", task, "sort", env=known, stdin=wordy)
        assert done.out == wordy
        done = cli("exec", "-i", task, "sh", "-c", "cat; exit 4", env=known, stdin="", status=4)
        assert done.out == ""
        if cli.name != "hivelet":
            done = cli("run", "-i", "--rm", "bb", "sort", env=known, stdin=wordy)
            assert done.out == wordy


def test_tcp_is_refused_without_certificates_of_both_sides(
    machine: Machine, certificates: Path
) -> None:
    full = server_options(certificates)
    cases = {
        "refused without --tlscacert, --tlscert, --tlskey": ["-H", URL],
        "refused without --tlscacert:": [word for word in full if "tlscacert" not in word],
        f"--tlscert {certificates}/server.pem and --tlskey {certificates}/client-key.pem cannot be used": [
            word.replace("server-key", "client-key") for word in full
        ],
        "--tlscacert /none.pem cannot be used": [
            *full,
            "--tlscacert=/none.pem",
        ],
    }
    for said, options in cases.items():
        done = machine.run(Hiveletd.argv(_unstarted(machine, options)), check=False)
        assert done.returncode == 1, done.stderr
        assert said in done.stderr


def _unstarted(machine: Machine, options: list[str]) -> Hiveletd:
    (machine.dir / "hiveletd").rmdir() if (machine.dir / "hiveletd").exists() else None
    return Hiveletd(machine, *options)


def test_a_context_of_docker_leads_there(
    machine: Machine, remote: Daemon, certificates: Path
) -> None:
    docker = make_cli("docker-28", "", machine.dir)
    hivelet = make_cli("hivelet", "", machine.dir)
    hivelet.home = docker.home
    nowhere = {"DOCKER_HOST": "", "HIVELET_HOST": ""}
    client = certificates / "client"
    files = f"ca={client}/ca.pem,cert={client}/cert.pem,key={client}/key.pem"
    docker("context", "create", "far", "--docker", f"host={URL},{files}", env=nowhere)
    docker("context", "create", "near", "--docker", f"host={remote.host}", env=nowhere)
    outside = Outside(hivelet, machine, "")
    outside.home = docker.home
    wanted = hivelet("--context", "near", "info", "--format", "{{.Name}}", env=nowhere).out
    for words, env in (
        (["--context", "far"], {}),
        ([], {"DOCKER_CONTEXT": "far"}),
    ):
        assert (
            outside(*words, "info", "--format", "{{.Name}}", env={**nowhere, **env}).out == wanted
        )
    docker("context", "use", "far", env=nowhere)
    assert outside("info", "--format", "{{.Name}}", env=nowhere).out == wanted
    failed = outside.fails("--context", "fra", "info", env=nowhere)
    assert 'there is no context "fra"; known are default, far, near' in failed.err


class Sshd:
    """A real sshd in the machine, on its own port, that lets one key in."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.dir = machine.dir / "ssh"
        self.dir.mkdir(mode=0o700)
        for name in ("host", "user"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.dir / name)]
            subprocess.run(words, check=True)
        (self.dir / "user.pub").rename(self.dir / "authorized")
        self.socket = ""

    def start(self) -> None:
        """Listen."""
        machine = self.machine
        config = f"""Port 2222
ListenAddress {ADDRESS}
HostKey {self.dir}/host
AuthorizedKeysFile {self.dir}/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
AllowStreamLocalForwarding no
SetEnv PATH={self.dir}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""
        (self.dir / "config").write_text(config)
        machine.run(["mkdir", "-p", "/run/sshd"])
        argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.dir / "config")]
        with (self.dir / "log").open("w") as log:
            machine.popen(argv, stderr=log)
        wait_until(
            lambda: "listening" in (self.dir / "log").read_text(),
            timeout=20,
            what="sshd listens",
            evidence=lambda: (self.dir / "log").read_text(),
        )

    def client(self) -> dict[str, str]:
        """An `ssh` that knows key and host, and the environment in which it is found."""
        folder = self.dir / "client"
        folder.mkdir()
        words = f"-F none -i {self.dir}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        (folder / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh {words} "$@"\n')
        (folder / "ssh").chmod(0o755)
        return {"PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin"}

    def install(self, name: str, words: list[str], host: str) -> None:
        """A program on the far side's PATH that knows its daemon."""
        folder = self.dir / "bin"
        folder.mkdir(exist_ok=True)
        line = " ".join(words)
        (folder / name).write_text(
            f'#!/bin/sh\nexport HIVELET_HOST={host} DOCKER_HOST={host}\nexec {line} "$@"\n'
        )
        (folder / name).chmod(0o755)


@pytest.fixture
def sshd(machine: Machine) -> Sshd:
    """Not started yet: what it offers is installed first."""
    return Sshd(machine)


def test_by_ssh_to_hiveletd(machine: Machine, hiveletd: Daemon, sshd: Sshd) -> None:
    cli = make_cli("hivelet", hiveletd.host, machine.dir)
    sshd.install("hivelet", list(cli.argv), hiveletd.host)
    sshd.start()
    far = Outside(cli, machine, f"ssh://root@{ADDRESS}:2222")
    env = sshd.client()
    assert (
        far("info", "--format", "{{.Name}}", env=env).out
        == cli("info", "--format", "{{.Name}}").out
    )
    far("swarm", "init", env=env)
    far("network", "create", "-d", "overlay", "by-ssh", env=env)
    assert "by-ssh" in cli("network", "ls").out
    # The unmodified docker command line goes the same way, with its own program's name on the far side.
    docker = make_cli("docker-28", "", machine.dir)
    sshd.install("docker", list(cli.argv), hiveletd.host)
    outer = Outside(docker, machine, f"ssh://root@{ADDRESS}:2222")
    assert "by-ssh" in outer("network", "ls", env=env).out
    failed = far.fails("-H", f"ssh://root@{ADDRESS}:2223", "info", env=env)
    assert "no daemon answers through ssh://" in failed.err
    assert "Connection refused" in failed.err


def test_by_ssh_to_a_machine_without_hivelet(machine: Machine, sshd: Sshd) -> None:
    daemon = Dockerd(machine)
    daemon.start()
    docker = make_cli("docker-20", daemon.host, machine.dir)
    cli = make_cli("hivelet", "", machine.dir)
    sshd.install("docker", list(docker.argv), daemon.host)
    sshd.start()
    far = Outside(cli, machine, f"ssh://root@{ADDRESS}:2222")
    assert far("version", "--format", "{{.Server.Version}}", env=sshd.client()).out.startswith(
        "20.10"
    )
    assert daemon.stop() == 0
