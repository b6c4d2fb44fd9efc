"""The choice of an OCI runtime, by really trying."""

import secrets
import shutil
import subprocess

import pytest

from hivelet.errors import Unavailable
from hivelet.runtime.cgroupfs import read_cgroup_tree, read_proc_cgroups
from hivelet.runtime.oci import (
    RuntimeCallFailed,
    call_runtime,
    claim_leftover_controllers,
    probe_runtime,
    release_leftover_controllers,
    seal_program,
)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def place(tmp_path):
    parent = f"/hivelet-test-{secrets.token_hex(4)}"
    yield tmp_path / "run", parent
    read_cgroup_tree().remove(parent)
    await release_leftover_controllers(tmp_path / "run")


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_what_is_chosen_runs_and_says_why(place):
    run, parent = place
    runtime = await probe_runtime(run, cgroup_parent=parent)
    assert runtime.name in {"crun", "runc"}
    assert runtime.version[0].isdigit()
    assert "runs containers here" in runtime.reason
    assert sorted(child.name for child in run.iterdir() if child.name.startswith("probe-")) == []
    assert not any((spot / "probe").exists() for spot in read_cgroup_tree().places(parent))


async def test_a_candidate_that_refuses_is_passed_over_with_its_words(place, tmp_path):
    run, parent = place
    broken = script(tmp_path / "brokenrun", "echo 'no luck today' >&2; exit 1")
    runtime = await probe_runtime(
        run, cgroup_parent=parent, names=[broken, "no-such-run", "runc", "crun"]
    )
    assert runtime.name in {"crun", "runc"}
    assert "brokenrun cannot run containers here: no luck today" in runtime.reason
    assert "no-such-run is not installed" in runtime.reason


async def test_nothing_installed_names_the_packages(place):
    run, parent = place
    with pytest.raises(Unavailable, match="install the package no-crun or no-runc"):
        await probe_runtime(run, cgroup_parent=parent, names=["no-crun", "no-runc"])


async def test_nothing_works_tells_what_was_said(place, tmp_path):
    run, parent = place
    broken = script(tmp_path / "brokenrun", "echo 'no luck today' >&2; exit 1")
    with pytest.raises(Unavailable, match="no luck today"):
        await probe_runtime(run, cgroup_parent=parent, names=[broken])


async def test_a_failed_call_says_what_and_why(place, tmp_path):
    run, parent = place
    runtime = await probe_runtime(run, cgroup_parent=parent)
    broken = script(tmp_path / "brokenrun", "echo 'no luck today' >&2; exit 1")
    with pytest.raises(RuntimeCallFailed, match="start failed: no luck today"):
        await call_runtime(runtime, [broken, "--root=/x", "start", "id"])


async def test_leftover_controllers_are_claimed_once_and_given_back(place):
    run, _ = place
    tree = read_cgroup_tree()
    if not tree.leftover_controllers(read_proc_cgroups()):
        pytest.skip("this machine has no leftover controllers")
    assert await claim_leftover_controllers(run, tree)
    assert await claim_leftover_controllers(run, read_cgroup_tree())
    assert (run / "cgroup").is_mount()
    await release_leftover_controllers(run)
    assert not (run / "cgroup").exists()
    await release_leftover_controllers(run)


def test_a_sealed_program_runs_and_cannot_be_written():
    path = seal_program("/bin/true")
    assert subprocess.run([path], check=False).returncode == 0
    with pytest.raises(PermissionError), open(path, "r+b") as stream:
        stream.write(b"x")


@pytest.mark.skipif(shutil.which("crun") is None, reason="no crun")
async def test_crun_is_hastened_only_where_filters_hold(place, tmp_path):
    run, parent = place
    # A crun that drops annotations: it must not be given filters, as it would run without any.
    crun = shutil.which("crun")
    text = (
        'for last; do :; done; previous=; for word; do [ "$previous" = --bundle ] && '
        f'sed -i \'s/run.oci.seccomp_bpf_data/ignored/\' "$word/config.json"; previous=$word; done; exec {crun} "$@"'
    )
    careless = tmp_path / "bin" / "crun"
    careless.parent.mkdir()
    runtime = await probe_runtime(run, cgroup_parent=parent, names=[script(careless, text)])
    assert runtime.name == "crun"
    assert not runtime.takes_filters
