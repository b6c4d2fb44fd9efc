"""Dockerfiles, and output of builds, that somebody wrote to harm: each is read or refused at once, in bounded memory."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hivelet.engine.build.actions import _hushed
from hivelet.errors import HiveletError, InvalidParameter
from hivelet.objects.build import BuildFailed, BuildProgress
from hivelet.runtime.build.dockerfile import parse_dockerfile
from hivelet.runtime.build.failures import explain_failure
from hivelet.runtime.build.narrate import Narrator
from hivelet.runtime.build.plan import BuildPlan, pin_bases, plan_build
from hivelet.runtime.build.run import Running
from hivelet.runtime.build.words import expand

PIECES = st.sampled_from(
    ["FROM ", "ARG ", "COPY ", "RUN ", "ENV ", "SHELL ", "a", " AS b", "\n", "\\\n", "\r\n", "# escape=`\n", "`\n", "$", "${", "}", "${A", ":-", ":+",
     "--from=", "--mount=", "--platform=", ",from=", "0", "9" * 5000, "['x']", '["x"]', '"', "'", "=", " ", "\0", "\x85", "\u2028", "\x0c",
     "<<EOF\n", "\ufeff", "٣"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=16).map("".join))


def plan(text: str, target: str = "") -> BuildPlan:
    return plan_build(parse_dockerfile(text, {"A": "a"}), target)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.one_of(st.just(""), TEXTS))
@example("FROM a\nCOPY --from=" + "9" * 5000 + " x y\n", "")
@example("FROM a\n", "9" * 5000)
@example("FROM a\n", "٣")
@example("FROM " + "${A:+" * 3000 + "}" * 3000 + "\n", "")
def test_any_text_is_planned_or_refused(text: str, target: str) -> None:
    with suppress(HiveletError):
        made = plan(text, target)
        assert pin_bases(text, made, {stage.base: f"sha256:{'7' * 64}" for stage in made.stages})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# a=x" + " " * 200_000 + "y\nFROM a\n", id="spaces in a directive"),
        pytest.param("FROM a\nRUN " + "--mount=" * 50_000 + " x\n", id="flags without an end"),
        pytest.param("FROM " + "${A:-" * 50_000 + "}" * 50_000 + "\n", id="nested variables"),
        pytest.param(
            "FROM x AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\nCOPY --from=no y z\n" for n in range(4900)),
            id="stages upon stages",
        ),
        pytest.param("FROM a\n" + "RUN x\n" * 200_000, id="instructions"),
        pytest.param("FROM a\nRUN x\\\n" + "y\\\n" * 200_000, id="a line of many"),
    ],
)  # fmt: skip
def test_reading_takes_time_in_proportion(text: str) -> None:
    begun = time.process_time()
    with suppress(InvalidParameter):
        plan(text)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "text",
    [
        "ARG a=xxxxxxxxxx\n"
        + "".join(f"ARG {chr(98 + n)}={f'${chr(97 + n)}' * 10}\n" for n in range(12))
        + "FROM $m\n",
        "ARG a=" + "x" * 500_000 + "\n" + "".join(f"ARG b{n}=$a.\n" for n in range(1000)) + "FROM b\n",
        "ARG a=" + "x" * 500_000 + "\n" + "FROM $a.\n" * 1000,
    ],
    ids=["laughs", "many arguments", "many stages"],
)  # fmt: skip
def test_what_variables_become_is_bounded(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidParameter, match="variables become more than"):
            plan(text)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_only_a_line_feed_ends_a_line() -> None:
    text = "FROM a\r\nRUN x \u2028 y \x0c z \x85\nRUN z\n"
    made = plan(text)
    assert [step.text for step in made.stages[0].steps][1:] == ["RUN x \u2028 y \x0c z", "RUN z"]
    assert pin_bases(text, made, {}).count("\n") == 3


def test_what_a_mount_takes_from() -> None:
    made = plan("FROM a\nRUN --mount=from=b,target=/x --mount=type=bind,xfrom=c,from=d y\n")
    assert made.stages[0].sources() == ["b", "d"]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(
    [b"STEP ", b"1/1: ", b"[1/1] ", b"9" * 5000, b"Error: ", b"--> ", b"a" * 64, b"\n", b"COMMIT", b'time="" level=warning msg="'])), max_size=12))  # fmt: skip
@example([b"STEP " + b"9" * 5000 + b"/1: x\n"])
@example([b"[" + b"9" * 5000 + b"/1] STEP 1/1: x\n"])
def test_any_output_is_told(pieces: list[bytes]) -> None:
    narrator = Narrator(plan("FROM a\nRUN x\n"), {})
    told = [text for piece in pieces for text in narrator.feed(piece)]
    told += narrator.end(failed=True)
    assert all(isinstance(text, str) for text in told)
    assert explain_failure(plan("FROM a\nRUN x\n"), narrator.step, narrator.error, "/ctx").message


@pytest.mark.parametrize("first", ["Error: a\n", f"{'a' * 64}\n", "x\n"])
@pytest.mark.parametrize("rest", [("y" * 500 + "\n") * 20, "y" * 70_000])
def test_little_of_the_output_is_held_back(first: str, rest: str) -> None:
    narrator = Narrator(plan("FROM a\nRUN x\n"), {})
    count = sum(map(len, narrator.feed(first.encode())))
    piece = rest.encode()
    for _ in range(100):
        count += sum(map(len, narrator.feed(piece)))
    assert count > len(rest) * 100 - (3 << 17)


def test_a_failures_words_are_found_at_once() -> None:
    begun = time.process_time()
    words = 'building at STEP "' * 20_000
    told = explain_failure(
        plan("FROM a\nRUN x\n"), (0, 0), f"{words}exit status {'9' * 5000}", "/c"
    )
    assert time.process_time() - begun < 2
    assert isinstance(told, BuildFailed)


async def test_a_quiet_build_keeps_what_was_said_last() -> None:
    async def says():
        for number in range(20_000):
            yield BuildProgress(stream=f"{number} {'x' * 1000}\n")
        raise BuildFailed("no")

    kept: list[str] = []

    async def hear() -> None:
        async for step in _hushed(says()):
            kept.append(step.stream)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(BuildFailed):
        await hear()
    assert kept[-1].startswith("19999 ")
    assert 500_000 < sum(map(len, kept)) < 1 << 20


@pytest.mark.parametrize("word", ["a\0b", "\udc00"])
async def test_arguments_that_no_program_can_have_are_refused(word: str) -> None:
    with pytest.raises(InvalidParameter):
        async for _ in Running(["true", word], {}).output():
            pass


@given(TEXTS)
def test_any_word_is_expanded_or_refused(text: str) -> None:
    with suppress(InvalidParameter):
        expand(text, {"A": "a", "B": "${A}"})
