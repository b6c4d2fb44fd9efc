"""How a container's end is told."""

import pytest

from hivelet.agent.exec.exits import LONGEST_LINE, describe_exit, last_words
from hivelet.objects.container import ContainerState
from hivelet.objects.log import STDERR, STDOUT, LogRecord
from hivelet.objects.task import Limit, ResourceRequirements, Task, TaskSpec

LIMITED = ResourceRequirements(limits=Limit(memory_bytes=64 * 2**20))


@pytest.mark.parametrize(
    ("state", "words", "resources", "reason"),
    [
        ({"exit_code": 0}, "bye", None, ""),
        ({"exit_code": 1}, "", None, ""),
        ({"exit_code": 3}, "no such table", None, "no such table"),
        ({"exit_code": 137}, "", None, "ended by SIGKILL"),
        ({"exit_code": 139}, "at 0x0", None, "ended by SIGSEGV: at 0x0"),
        ({"exit_code": 255}, "", None, ""),
        ({"exit_code": 127}, "", None, "its command, or one that it calls, was not found"),
        (
            {"exit_code": 137, "oom_killed": True},
            "",
            LIMITED,
            "out of memory (its limit is 64 MiB)",
        ),
        (
            {"exit_code": 137, "oom_killed": True},
            "",
            None,
            "out of memory (it has no limit of its own; the machine's memory was used up)",
        ),
        (
            {"exit_code": 3, "oom_killed": True},
            "database is locked",
            LIMITED,
            "one of its processes was killed for memory before: database is locked",
        ),
        (
            {"exit_code": 143, "oom_killed": True},
            "",
            None,
            "ended by SIGTERM; one of its processes was killed for memory before",
        ),
        ({"exit_code": 127, "error": "exec: no such file"}, "", None, "exec: no such file"),
    ],
)
def test_the_code_what_it_means_and_the_last_words(state, words, resources, reason):
    how = describe_exit(
        ContainerState(**state), Task(id="t", spec=TaskSpec(resources=resources)), words
    )
    assert (how.code, how.reason) == (state["exit_code"], reason)


async def said(*lines):
    for number, (stream, line) in enumerate(lines):
        yield LogRecord(stream=stream, line=line, time_ns=number)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), ""),
        (((STDOUT, b"ready\n"),), "ready"),
        (
            ((STDERR, b"deprecated\n"), (STDOUT, b"no space left\n"), (STDERR, b"  \n")),
            "no space left",
        ),
        (((STDOUT, b"starting\n"), (STDERR, b"ValueError: x\n")), "ValueError: x"),
        (((STDERR, b"a\x1b[31mred\x07\xff\n"),), "a [31mred �"),
        (((STDERR, b"y" * 900),), "y" * (LONGEST_LINE - 1) + "…"),
    ],
)
async def test_the_last_line_counts_whatever_it_was_written_to(lines, words):
    assert await last_words(said(*lines)) == words
