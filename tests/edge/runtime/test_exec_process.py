"""Further processes in a container, under a real conmon and a real OCI runtime."""

import asyncio

import pytest

from hivelet.kit.ids import new_hex_id
from hivelet.objects.log import STDERR, STDOUT
from hivelet.runtime.commands import ExecOptions
from hivelet.runtime.failures import CreateFailed
from hivelet.runtime.oci_spec import ExecInput

pytestmark = pytest.mark.timeout(60)


async def start(lab, container, script, **options):
    args = script if isinstance(script, list) else ["/bin/sh", "-c", script]
    wish = ExecInput(args=tuple(args), terminal=options.get("terminal", False))
    return await lab.runtime.start_exec(container, wish, new_hex_id()[:12], ExecOptions(**options))


async def collect(process):
    said = {STDOUT: bytearray(), STDERR: bytearray()}
    async for stream, data in process.attachment.output():
        said[stream] += data
    process.attachment.close()
    return said


@pytest.fixture
async def container(lab):
    found, _ = await lab.run(["/bin/sleep", "1000"])
    return found


async def test_streams_and_exit_code_are_the_processs(lab, container):
    process, end = await start(lab, container, "echo out; echo err >&2; exit 7")
    said = await collect(process)
    assert said == {STDOUT: b"out\n", STDERR: b"err\n"}
    assert await process.ended == 7
    await end


async def test_input_reaches_it_and_its_end_too(lab, container):
    process, end = await start(lab, container, ["/bin/cat"], stdin=True)
    data = bytes(range(256)) * 1000
    reading = asyncio.ensure_future(collect(process))
    assert await process.attachment.write(data)
    process.attachment.close_input()
    assert (await reading)[STDOUT] == data
    assert await process.ended == 0
    await end


async def test_a_terminal_has_a_size_that_can_change(lab, container):
    wish = ExecInput(args=("/bin/sh",), terminal=True, size=(33, 111))
    process, end = await lab.runtime.start_exec(
        container, wish, new_hex_id()[:12], ExecOptions(terminal=True, stdin=True)
    )
    said = bytearray()

    async def until(word):
        while word not in said:
            said.extend((await anext(output))[1])

    output = process.attachment.output()
    await process.attachment.write(b"stty size\n")
    await until(b"33 111\r\n")
    process.resize(44, 122)
    await process.attachment.write(b"stty size; exit 3\n")
    await until(b"44 122\r\n")
    await output.aclose()
    process.attachment.close()
    assert await process.ended == 3
    await end


async def test_a_program_that_is_not_there_is_told_in_dockers_words(lab, container):
    with pytest.raises(CreateFailed, match=r'exec failed: .*exec: "nope": executable file not found in \$PATH') as failure:  # fmt: skip
        await start(lab, container, ["nope"])
    assert failure.value.code == 127


async def test_who_does_not_read_holds_up_the_process(lab, container):
    process, end = await start(lab, container, "head -c 50000000 /dev/zero")
    await asyncio.sleep(0.3)
    assert not process.ended.done()
    assert len((await collect(process))[STDOUT]) == 50_000_000
    assert await process.ended == 0
    await end


async def test_who_lets_go_lets_it_run_on(lab, container):
    process, end = await start(lab, container, "for i in 1 2 3; do echo $i; done; exit 4")
    process.attachment.close()
    assert await process.ended == 4
    await end


async def test_fifty_at_once(lab, container):
    started = await asyncio.gather(
        *(start(lab, container, f"echo {n}; exit {n}") for n in range(50))
    )
    said = await asyncio.gather(*(collect(process) for process, _ in started))
    assert [s[STDOUT] for s in said] == [b"%d\n" % n for n in range(50)]
    assert [await process.ended for process, _ in started] == list(range(50))
    await asyncio.gather(*(end for _, end in started))
