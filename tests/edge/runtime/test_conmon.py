"""Containers under a real conmon and a real OCI runtime."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hivelet.errors import Conflict, NotFound
from hivelet.kit.ids import new_hex_id
from hivelet.objects.common import ContainerId
from hivelet.objects.container import HostConfig, Mount, TmpfsOptions, Ulimit
from hivelet.objects.log import STDERR, STDOUT, LogOptions
from hivelet.runtime.commands import CreateOptions
from hivelet.runtime.failures import CreateFailed
from hivelet.runtime.logs import read_log
from hivelet.runtime.oci_spec import ExecInput, ProcessUser
from hivelet.runtime.processes import read_record
from hivelet.runtime.spawn import readable
from hivelet.runtime.status import Exited, Gone, Running

pytestmark = pytest.mark.timeout(60)


async def output(paths):
    return [(record.stream, record.line) async for record in read_log(paths.log, LogOptions())]


async def text(paths):
    return b"".join([line for _, line in await output(paths)]).decode()


@pytest.mark.parametrize("code", [0, 3, 255])
async def test_exit_code_is_the_programs(lab, code):
    container, _ = await lab.run(f"exit {code}")
    status = await lab.runtime.wait(container)
    assert (status.code, status.oom_killed, status.error) == (code, False, "")
    assert abs(status.finished_at.timestamp() - time.time()) < 5
    assert lab.runtime.pid(container) == 0
    await lab.runtime.delete(container)


async def test_signal_reaches_the_program_and_names_the_exit_code(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"])
    lab.runtime.kill(container, signal.SIGKILL)
    assert (await lab.runtime.wait(container)).code == 137


async def test_trapped_signal_lets_the_program_end_by_itself(lab):
    container, paths = await lab.run(
        "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done"
    )
    async for _ in read_log(paths.log, LogOptions(), until_end=asyncio.Event().wait()):
        break
    lab.runtime.kill(container, signal.SIGTERM)
    assert (await lab.runtime.wait(container)).code == 5
    assert "bye" in await text(paths)


async def test_a_created_container_waits_for_start(lab):
    container, paths = await lab.create("echo ran")
    assert await text(paths) == ""
    assert lab.runtime.pid(container) > 0
    await lab.runtime.start(container)
    await lab.runtime.wait(container)
    assert await text(paths) == "ran\n"


async def test_a_created_container_can_be_deleted(lab):
    container, _ = await lab.create("echo never")
    await lab.runtime.delete(container)
    assert lab.leftovers() == []


async def test_out_of_memory_is_told(lab):
    container, _ = await lab.run(["/bin/tail", "/dev/zero"], HostConfig(memory=16 << 20))
    status = await lab.runtime.wait(container)
    assert (status.code, status.oom_killed) == (137, True)


async def test_missing_program_is_127_in_dockers_words(lab):
    with pytest.raises(CreateFailed) as failure:
        await lab.create(["nosuch"])
    assert failure.value.code == 127
    assert 'exec: "nosuch": executable file not found in $PATH' in failure.value.message
    assert lab.leftovers() == []


@pytest.mark.parametrize("program", ["/etc", "/etc/passwd"])
async def test_program_that_cannot_run_is_126(lab, program):
    (lab.directory / "rootfs/etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    with pytest.raises(CreateFailed) as failure:
        await lab.create([program])
    assert failure.value.code == 126
    assert lab.leftovers() == []


async def test_impossible_limit_fails_and_leaves_nothing(lab):
    with pytest.raises(CreateFailed) as failure:
        await lab.create("true", HostConfig(cpuset_cpus="4000"))
    assert failure.value.code == 128
    assert lab.leftovers() == []


async def test_the_same_id_twice_is_a_conflict(lab):
    container, paths = await lab.create("true")
    with pytest.raises(Conflict):
        await lab.runtime.create(container, lab.spec(container, "true"), paths)


async def test_raised_limit_does_not_fail_the_container(lab):
    limit = Ulimit(name="nofile", soft=1 << 20, hard=1 << 20)
    container, paths = await lab.run("ulimit -n", HostConfig(ulimits=[limit]))
    assert (await lab.runtime.wait(container)).code == 0
    own = lab.facts.hard_limits["nofile"]
    assert int(await text(paths)) == (1 << 20 if own == -1 else min(own, 1 << 20))


async def test_defaults_are_dockers(lab):
    script = "grep -E 'Cap(Prm|Eff|Bnd|Inh)|Seccomp:|NoNewPrivs' /proc/self/status; hostname; env; pwd; ls /dev"
    container, paths = await lab.run(script, domainname="")
    await lab.runtime.wait(container)
    seen = await text(paths)
    for line in (
        "CapBnd:\t00000000a80425fb",
        "CapInh:\t0000000000000000",
        "Seccomp:\t2",
        "NoNewPrivs:\t0",
    ):
        assert line in seen
    assert f"HOSTNAME={container[:12]}" in seen
    for device in (
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "ptmx",
        "shm",
        "mqueue",
        "pts",
    ):
        assert device in seen.split()


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        pytest.param("unshare -n true", False, id="new-namespace"),
        pytest.param("mount -t tmpfs none /tmp", False, id="mount"),
        pytest.param("hostname other", False, id="set-hostname"),
        pytest.param("chroot / /bin/true", True, id="chroot"),
        pytest.param("cat /proc/kcore | head -c 1 | grep -q .", False, id="masked-path"),
        pytest.param("echo 1 > /proc/sys/kernel/panic", False, id="readonly-path"),
        pytest.param(
            "grep -qx 0 /proc/sys/net/ipv4/ip_unprivileged_port_start", True, id="low-ports"
        ),
    ],
)
async def test_what_a_container_may_do(lab, call, allowed):
    container, _ = await lab.run(_busyboxed(call))
    status = await lab.runtime.wait(container)
    assert (status.code == 0) is allowed


def _busyboxed(call):
    for name in ("unshare", "mount", "hostname", "chroot", "grep"):
        call = " ".join(f"/bin/busybox {name}" if word == name else word for word in call.split())
    return call


async def test_mounts_and_a_read_only_root(lab):
    source = lab.directory / "data"
    source.mkdir()
    (source / "file").write_text("from the host")
    host = HostConfig(
        readonly_rootfs=True,
        binds=[f"{source}:/data:ro"],
        mounts=[
            Mount(type="tmpfs", target="/scratch", tmpfs_options=TmpfsOptions(size_bytes=1 << 20)),
            Mount(type="bind", source=str(source), target="/rw"),
        ],
        tmpfs={"/run": ""},
        shm_size=1 << 20,
    )
    for place in ("data", "rw", "scratch", "run"):
        (lab.directory / "rootfs" / place).mkdir()
    script = (
        "cat /data/file; touch /data/x || echo ro1; touch /x || echo ro2; touch /scratch/a /run/b /rw/c && echo ok;"
        " /bin/busybox df -k /dev/shm | /bin/busybox grep -o 1024"
    )
    container, paths = await lab.run(script.replace("touch", "/bin/busybox touch"), host)
    await lab.runtime.wait(container)
    seen = await text(paths)
    for word in ("from the host", "ro1", "ro2", "ok", "1024"):
        assert word in seen
    assert (source / "c").exists()


async def test_pause_resume_and_delete_of_a_paused_container(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"])
    await lab.runtime.pause(container)
    await lab.runtime.resume(container)
    await lab.runtime.pause(container)
    await lab.runtime.delete(container, force=True)
    assert lab.leftovers() == []


async def test_update_changes_a_limit(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"], HostConfig(memory=64 << 20))
    await lab.runtime.update(container, {"memory": {"limit": 32 << 20, "swap": 64 << 20}})
    found = {
        int(file.read_text())
        for place in lab.runtime._cgroups.places(f"{lab.parent}/{container}")
        for name in ("memory.limit_in_bytes", "memory.max")
        if (file := place / name).exists()
    }
    assert found == {32 << 20}


async def test_delete_of_a_running_container_needs_force(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"])
    with pytest.raises(Conflict):
        await lab.runtime.delete(container)
    await lab.runtime.delete(container, force=True)
    with pytest.raises(NotFound):
        lab.runtime.kill(container, signal.SIGTERM)


async def test_delete_of_an_unknown_container_does_nothing(lab):
    await lab.runtime.delete(ContainerId(new_hex_id()), force=True)


async def test_signal_to_an_ended_container_is_a_conflict(lab):
    container, _ = await lab.run("true")
    await lab.runtime.wait(container)
    with pytest.raises(Conflict):
        lab.runtime.kill(container, signal.SIGTERM)


async def test_many_at_once(lab):
    made = await asyncio.gather(*(lab.run(f"exit {number}") for number in range(12)))
    ends = await asyncio.gather(*(lab.runtime.wait(container) for container, _ in made))
    assert [status.code for status in ends] == list(range(12))
    await asyncio.gather(*(lab.runtime.delete(container) for container, _ in made))


async def test_cancelled_create_leaves_nothing(lab):
    """Wherever it stood: the pauses reach from before the runtime's start to the end of its work."""
    for pause in (0, 0.002, 0.004, 0.006, 0.009, 0.014, 0.02):
        making = asyncio.ensure_future(lab.create("true"))
        await asyncio.sleep(pause)
        making.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            container, _ = await making
            await lab.runtime.delete(container, force=True)
        assert lab.leftovers() == [], pause


async def test_exec_runs_beside_the_program(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"], env=["FIRST=1"])
    given = ExecInput(
        args=("/bin/sh", "-c", "id -u; env; pwd; echo oops >&2; exit 9"),
        env=("SECOND=2",),
        user=ProcessUser(uid=1000, gid=1000),
        cwd="/tmp",
    )
    result = await lab.runtime.exec_(container, given)
    assert result.code == 9
    for word in (b"1000", b"FIRST=1", b"SECOND=2", b"/tmp", b"oops"):
        assert word in result.output


async def test_exec_and_a_plain_user_are_filtered_too(lab):
    script = "grep -E 'Seccomp:|NoNewPrivs:|CapEff:' /proc/self/status".replace(
        "grep", "/bin/busybox grep"
    )
    container, _ = await lab.run(f"{script}; exec sleep 1000")
    result = await lab.runtime.exec_(container, ExecInput(args=("/bin/sh", "-c", script)))
    assert result.output.decode().split("\n")[:3] == [
        "CapEff:\t00000000a80425fb",
        "NoNewPrivs:\t0",
        "Seccomp:\t2",
    ]
    user = ProcessUser(uid=1000, gid=1000)
    result = await lab.runtime.exec_(
        container, ExecInput(args=("/bin/sh", "-c", script), user=user)
    )
    assert result.output.decode().split("\n")[:3] == [
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t0",
        "Seccomp:\t2",
    ]


async def test_exec_past_its_time_is_killed(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"])
    result = await lab.runtime.exec_(
        container, ExecInput(args=("/bin/sleep", "55555")), timeout=0.3
    )
    assert result.timed_out
    cgroup = f"{lab.parent}/{container}"
    while len(lab.runtime._cgroups.processes(cgroup)) > 1:
        await asyncio.sleep(0.001)


async def test_exec_cut_off_while_it_starts_leaves_nothing(lab):
    """Whatever the runtime was about when its time was over."""
    container, _ = await lab.run(["/bin/sleep", "1000"])
    cgroup = f"{lab.parent}/{container}"
    for milliseconds in range(0, 60, 4):
        result = await lab.runtime.exec_(
            container, ExecInput(args=("/bin/sleep", "55555")), timeout=milliseconds / 1000
        )
        assert result.timed_out
        async with asyncio.timeout(20):
            while len(lab.runtime._cgroups.processes(cgroup)) > 1:
                await asyncio.sleep(0.001)


async def test_exec_output_is_cut(lab):
    container, _ = await lab.run(["/bin/sleep", "1000"])
    result = await lab.runtime.exec_(
        container, ExecInput(args=("/bin/sh", "-c", "/bin/busybox yes | head -c 300000"))
    )
    assert len(result.output) == 4096


# -- logs


async def test_log_has_both_streams_and_unfinished_lines(lab):
    container, paths = await lab.run(
        "echo out; sleep 0.05; echo err >&2; sleep 0.05; /bin/busybox printf end"
    )
    await lab.runtime.wait(container)
    assert await output(paths) == [(STDOUT, b"out\n"), (STDERR, b"err\n"), (STDOUT, b"end")]


async def test_following_ends_with_the_container_and_misses_nothing(lab):
    container, paths = await lab.run("for i in $(/bin/busybox seq 2000); do echo line $i; done")
    seen = [
        record.line
        async for record in read_log(
            paths.log, LogOptions(follow=True), until_end=lab.runtime.wait(container)
        )
    ]
    assert seen == [b"line %d\n" % number for number in range(1, 2001)]


async def test_following_survives_rotation_by_conmon(lab):
    options = CreateOptions(log_size_max=8192)
    container, paths = await lab.run(
        "for i in $(/bin/busybox seq 600); do echo line $i; done", None, options
    )
    seen = [
        record.line
        async for record in read_log(
            paths.log, LogOptions(follow=True), until_end=lab.runtime.wait(container)
        )
    ]
    assert seen[-1] == b"line 600\n"
    assert seen == sorted(seen, key=lambda line: int(line.split()[1]))


async def test_a_terminal_is_a_terminal(lab):
    options = CreateOptions(terminal=True)
    container, paths = await lab.run("[ -t 1 ] && echo $TERM", None, options, tty=True)
    assert (await lab.runtime.wait(container)).code == 0
    assert await text(paths) == "xterm\r\n"


# -- what survives whom


def open_files(pid):
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed while we looked
            found.add(os.readlink(entry))
    return found


async def test_conmon_holds_nothing_of_ours(lab):
    reader, writer = os.pipe()
    os.set_inheritable(reader, False)
    container, paths = await lab.run(["/bin/sleep", "1000"])
    record = read_record(paths.record)
    mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in (reader, writer)}
    for pid in (record.conmon_pid, record.pid):
        held = open_files(pid)
        assert not held & mine
        assert not [
            name for name in held if str(lab.directory) not in name and name.startswith("/tmp")
        ]
    assert os.getsid(record.conmon_pid) != os.getsid(0)
    assert os.readlink(f"/proc/{record.conmon_pid}/cwd") == str(paths.bundle)
    os.close(reader)
    os.close(writer)
    await lab.runtime.delete(container, force=True)


async def test_killed_conmon_does_not_take_the_container_with_it(lab):
    container, paths = await lab.run(["/bin/sleep", "1000"])
    record = read_record(paths.record)
    conmon = os.pidfd_open(record.conmon_pid)
    signal.pidfd_send_signal(conmon, signal.SIGKILL)
    await readable(conmon)
    os.close(conmon)
    assert lab.runtime.pid(container) == record.pid
    lab.runtime.kill(container, signal.SIGKILL)
    status = await lab.runtime.wait(container)
    assert status.code == 137
    assert "conmon" in status.error


async def test_adopt_a_running_container(lab):
    container, paths = await lab.run("sleep 0.2; exit 4")
    lab.runtime.close()
    second = lab.again()
    found = await second.adopt(container, paths)
    assert isinstance(found, Running)
    assert found.started
    assert (await second.wait(container)).code == 4
    await second.delete(container)
    assert lab.leftovers() == []


async def test_adopt_a_created_container(lab):
    container, paths = await lab.create("true")
    lab.runtime.close()
    second = lab.again()
    found = await second.adopt(container, paths)
    assert isinstance(found, Running)
    assert not found.started
    await second.delete(container)


async def test_adopt_tells_a_start_that_was_not_recorded(lab):
    container, paths = await lab.run(["/bin/sleep", "1000"])
    record = json.loads(paths.record.read_text())
    paths.record.write_text(json.dumps({**record, "started": False}))
    lab.runtime.close()
    second = lab.again()
    assert (await second.adopt(container, paths)).started
    await second.delete(container, force=True)


async def test_adopt_one_that_ended_meanwhile(lab):
    container, paths = await lab.run("exit 6")
    await lab.runtime.wait(container)
    lab.runtime.close()
    second = lab.again()
    found = await second.adopt(container, paths)
    assert isinstance(found, Exited)
    assert found.status.code == 6
    assert (await second.wait(container)).code == 6
    await second.delete(container)


async def test_adopt_after_a_reboot(lab):
    container, paths = await lab.run("exit 0")
    await lab.runtime.wait(container)
    lab.runtime.close()
    record = json.loads(paths.record.read_text())
    paths.record.write_text(json.dumps({**record, "boot": "another"}))
    assert isinstance(await lab.again().adopt(container, paths), Gone)
    assert lab.leftovers() == []


async def test_adopt_one_whose_making_was_cut_short(lab):
    container, paths = await lab.create("echo never")
    lab.runtime.close()
    paths.record.unlink()
    assert isinstance(await lab.again().adopt(container, paths), Gone)
    assert lab.leftovers() == []
    assert await text(paths) == ""


async def test_adopt_what_never_was(lab):
    container = ContainerId(new_hex_id())
    assert isinstance(await lab.again().adopt(container, lab.paths(container)), Gone)


async def test_adopt_does_not_take_a_pid_used_anew_for_the_container(lab):
    container, paths = await lab.run("exit 0")
    await lab.runtime.wait(container)
    lab.runtime.close()
    paths.exit_file.unlink()
    record = json.loads(paths.record.read_text())
    mine = {"pid": os.getpid(), "conmon_pid": os.getpid()}
    paths.record.write_text(json.dumps({**record, **mine}))
    assert isinstance(await lab.again().adopt(container, paths), Gone)


DAEMON = """
import asyncio, sys
from pathlib import Path
from hivelet.kit.clock import SystemClock
from hivelet.runtime.cgroupfs import read_cgroup_tree
from hivelet.runtime.commands import BundlePaths, OciRuntime
from hivelet.runtime.conmon.runtime import ConmonRuntime
import json
async def main():
    given = json.load(sys.stdin)
    runtime = ConmonRuntime(OciRuntime(**given["runtime"]), "/usr/bin/conmon", read_cgroup_tree(), SystemClock())
    paths = BundlePaths(bundle=Path(given["bundle"]), log=Path(given["log"]))
    await runtime.create(given["id"], given["spec"], paths)
    await runtime.start(given["id"])
    print("started", flush=True)
    await runtime.wait(given["id"])
asyncio.run(main())
"""


async def test_a_killed_daemon_leaves_the_container_running_for_the_next(lab):
    container = ContainerId(new_hex_id())
    paths = lab.paths(container)
    runtime = lab.runtime.runtime
    given = {
        "id": container,
        "spec": lab.spec(container, "trap 'exit 8' TERM; echo up; while :; do sleep 0.01; done"),
        "bundle": str(paths.bundle),
        "log": str(paths.log),
        "runtime": {
            "name": runtime.name,
            "path": runtime.path,
            "root": runtime.root,
            "version": runtime.version,
        },
    }
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        daemon.stdin.write(json.dumps(given).encode())
        daemon.stdin.close()
        assert await asyncio.to_thread(daemon.stdout.readline) == b"started\n"
    finally:
        # The whole process group, as a terminal or a supervisor would.
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
        daemon.stdout.close()
    found = await lab.runtime.adopt(container, paths)
    assert isinstance(found, Running)
    assert found.started
    async for _ in read_log(paths.log, LogOptions(), until_end=asyncio.Event().wait()):
        break
    lab.runtime.kill(container, signal.SIGTERM)
    assert (await lab.runtime.wait(container)).code == 8
