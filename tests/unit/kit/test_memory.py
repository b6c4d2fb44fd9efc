"""A crash of a process whose memory is private leaves no dump, and what it starts is not concerned."""

import os
import resource
import subprocess
import sys

import pytest

KEEP = "from hivelet.kit.memory import keep_memory_private; keep_memory_private(); "
CRASH = "os.abort()"


def dumps_core(folder, words):
    """Whether a process that runs these Python words, and aborts, leaves its memory to whoever collects dumps."""
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", f"import os; os.chdir({str(folder)!r}); {words}"],
        dict(os.environ),
    )
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


@pytest.fixture
def _with_dumps():
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("_with_dumps")
def test_no_core_is_dumped(tmp_path):
    if not dumps_core(tmp_path, CRASH):
        pytest.skip("this machine dumps no cores at all")
    assert not dumps_core(tmp_path, KEEP + CRASH)


def test_what_is_started_may_dump():
    show = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    nested = f"{KEEP}{show}; import subprocess, sys; sys.stdout.flush(); subprocess.run([sys.executable, '-c', {show!r}])"
    done = subprocess.run(
        [sys.executable, "-c", nested], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "1"]
