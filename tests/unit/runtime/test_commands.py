from pathlib import Path

import pytest

from hivelet.errors import System
from hivelet.objects.common import ContainerId
from hivelet.runtime import commands
from hivelet.runtime.commands import BundlePaths, CreateOptions, OciRuntime, parse_sync_message

RUNTIME = OciRuntime(name="crun", path="/usr/bin/crun", root="/run/hivelet/crun", version="1")
ID = ContainerId("ab" * 32)
PATHS = BundlePaths(bundle=Path("/run/hivelet/b"), log=Path("/var/lib/hivelet/c.log"))


def test_conmon():
    argv = commands.conmon_create("/usr/bin/conmon", RUNTIME, ID, PATHS, CreateOptions())
    assert argv == [
        "/usr/bin/conmon", "--api-version", "1", "--sync", "--no-sync-log", "--full-attach", "--log-level", "error",
        "--cid", ID, "--cuuid", ID, "--name", ID[:12],
        "--runtime", "/usr/bin/crun", "--runtime-arg", "--root=/run/hivelet/crun",
        "--bundle", "/run/hivelet/b", "--persist-dir", "/run/hivelet/b", "--container-pidfile", "/run/hivelet/b/init.pid",
        "--log-path", "k8s-file:/var/lib/hivelet/c.log",
    ]  # fmt: skip


def test_conmon_options():
    options = CreateOptions(terminal=True, stdin=True, log_size_max=9)
    argv = commands.conmon_create("conmon", RUNTIME, ID, PATHS, options)
    assert argv[-5:] == ["--log-size-max", "9", "--terminal", "--stdin", "--leave-stdin-open"]


def test_conmon_hears_nothing_of_our_environment():
    assert commands.conmon_environment("/bin") == {"PATH": "/bin", "_OCI_SYNCPIPE": "3"}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (commands.runtime_start(RUNTIME, ID), ["start", ID]),
        (commands.runtime_state(RUNTIME, ID), ["state", ID]),
        (commands.runtime_pause(RUNTIME, ID), ["pause", ID]),
        (commands.runtime_resume(RUNTIME, ID), ["resume", ID]),
        (commands.runtime_update(RUNTIME, ID), ["update", "--resources", "/dev/stdin", ID]),
        (commands.runtime_delete(RUNTIME, ID), ["delete", "--force", ID]),
        (commands.runtime_run(RUNTIME, ID, Path("/b")), ["run", "--bundle", "/b", ID]),
        (
            commands.runtime_exec(RUNTIME, ID, process=Path("/p"), pid_file=Path("/q")),
            ["exec", "--process", "/p", "--pid-file", "/q", ID],
        ),
    ],
)
def test_runtime(argv, words):
    assert argv == ["/usr/bin/crun", "--root=/run/hivelet/crun", *words]


def test_a_sealed_program_is_what_is_run():
    sealed = OciRuntime(
        name="crun", path="/usr/bin/crun", root="/r", version="1", sealed="/proc/1/fd/9"
    )
    assert commands.runtime_start(sealed, ID)[0] == "/proc/1/fd/9"
    assert "/proc/1/fd/9" in commands.conmon_create("conmon", sealed, ID, PATHS, CreateOptions())


def test_everything_transient_lies_in_the_bundle_and_the_log_does_not():
    assert {path.parent for path in PATHS.transient()} == {PATHS.bundle}
    assert PATHS.log not in PATHS.transient()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b'{"data": 42}\n', (42, "")),
        (b'{"data": -1, "message": "no \\"x\\""}\n', (-1, 'no "x"')),
    ],
)
def test_sync_message(line, answer):
    assert parse_sync_message(line) == answer


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"data": null}'])
def test_sync_message_that_is_none(line):
    with pytest.raises(System):
        parse_sync_message(line)
