import pytest

from hivelet.runtime.failures import explain_create_failure

STAMP = "2026-11-22T22:55:54.044173Z: "
RUNC = 'time="2026-11-22T22:55:54Z" level=error msg="runc create failed: unable to start container process: {}"\n'


@pytest.mark.parametrize(
    ("said", "program", "code", "expected"),
    [
        pytest.param(
            f"{STAMP}executable file `nosuch` not found in $PATH: No such file or directory\n",
            "nosuch",
            127,
            'exec: "nosuch": executable file not found in $PATH',
            id="crun-not-in-path",
        ),
        pytest.param(
            "executable file `/no/such` not found: No such file or directory",
            "/no/such",
            127,
            'exec: "/no/such": stat /no/such: no such file or directory',
            id="crun-no-such-file",
        ),
        pytest.param(
            "open executable: Permission denied",
            "/x",
            126,
            'exec: "/x": open executable',
            id="crun-not-executable",
        ),
        pytest.param(
            "open executable: Operation not permitted",
            "/etc",
            126,
            'exec: "/etc": permission denied',
            id="crun-directory",
        ),
        pytest.param(
            RUNC.format(r"exec: \"nosuch\": executable file not found in $PATH"),
            "nosuch",
            127,
            'exec: "nosuch": executable file not found in $PATH',
            id="runc-not-in-path",
        ),
        pytest.param(
            RUNC.format(r"exec: \"/etc\": permission denied"),
            "/etc",
            126,
            'exec: "/etc": permission denied',
            id="runc-126",
        ),
        pytest.param(
            RUNC.format("unable to apply cgroup configuration: out of range"),
            "x",
            128,
            "unable to apply cgroup configuration: out of range",
            id="runc-other",
        ),
        pytest.param(
            "writing file `cpuset.cpus`: out of range", "x", 128, "writing file", id="crun-other"
        ),
        pytest.param("", "x", 128, "did not say why", id="silence"),
    ],
)
def test_words_and_codes(said, program, code, expected):
    failure = explain_create_failure(said, [program])
    assert failure.code == code
    assert expected in failure.message
    assert failure.message.startswith(
        "failed to create task for container: OCI runtime create failed: "
    )
    assert "runc create failed" not in failure.message
    assert STAMP not in failure.message
