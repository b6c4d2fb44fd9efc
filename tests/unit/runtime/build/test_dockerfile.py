"""Dockerfiles: instructions, stages, and what is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import HiveletError, InvalidParameter
from hivelet.runtime.build.dockerfile import json_words, parse_dockerfile
from hivelet.runtime.build.plan import NeededImage, pin_bases, plan_build

TEXT = """\
# escape=`
ARG TAG=1
ARG NAME="my base"

FROM --platform=$BUILDPLATFORM base:${TAG} AS Builder
RUN a `
# a comment in between

  b
COPY --from=tools:2 x y
FROM builder
COPY --from=0 x y
RUN --mount=type=bind,from=others,target=/x true
"""


def test_instructions_are_joined_and_stages_named():
    found = parse_dockerfile(TEXT, {"TAG": "7", "BUILDPLATFORM": "linux/amd64"})
    assert [step.text for step in found.arguments] == ["ARG TAG=1", 'ARG NAME="my base"']
    first, second = found.stages
    assert (first.name, first.base, first.platform) == ("builder", "base:7", "linux/amd64")
    assert [step.text for step in first.steps][1:] == ["RUN a   b", "COPY --from=tools:2 x y"]
    assert (first.steps[1].line, first.steps[1].end) == (6, 9)
    assert (second.name, second.base) == ("", "builder")
    assert second.sources() == ["0", "others"]


def test_a_plan_has_the_images_of_the_stages_that_are_needed():
    found = parse_dockerfile(TEXT, {"TAG": "7"})
    plan = plan_build(found, "")
    assert set(plan.images) == {
        NeededImage(reference="base:7"),
        NeededImage(reference="tools:2"),
        NeededImage(reference="others"),
    }
    assert plan.total == 8
    assert plan_build(found, "builder").needed == {0}
    assert plan_build(found, "0").total == 5


def test_stages_that_nothing_needs_are_left_out():
    text = "FROM a AS one\nRUN x\nFROM nowhere AS two\nRUN y\nFROM scratch\nCOPY --from=ONE / /\n"
    plan = plan_build(parse_dockerfile(text, {}), "")
    assert plan.needed == {0, 2}
    assert plan.images == (NeededImage(reference="a"),)


def test_labels_that_are_asked_for_are_the_last_step():
    found = parse_dockerfile("FROM a AS one\nRUN x\nFROM one\n", {})
    plan = plan_build(found, "one", {"b": "2", "a": "1"})
    assert [step.text for step in plan.stages[-1].steps] == [
        "FROM a AS one",
        "RUN x",
        "LABEL a=1 b=2",
    ]


def test_bases_are_pinned_line_by_line():
    text = "FROM \\\n a AS one\nRUN x\nFROM one\nFROM a\n"
    plan = plan_build(parse_dockerfile(text, {}), "")
    assert (
        pin_bases(text, plan, {"a": "sha256:77"})
        == "FROM \\\n a AS one\nRUN x\nFROM one\nFROM 77\n"
    )
    plan = plan_build(parse_dockerfile(text, {}), "one")
    assert pin_bases(text, plan, {"a": "sha256:77"}) == "FROM 77 AS one\n\nRUN x\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the Dockerfile (Dockerfile) cannot be empty"),
        ("# nothing\n", "file with no instructions"),
        ("RUN x\n", "no build stage"),
        ("ARG x\n", "no build stage"),
        ("FROM a\nRUNN x\n", "dockerfile parse error line 2: unknown instruction: RUNN"),
        ("FROM a b\n", "FROM requires either one or three arguments"),
        ("FROM\n", "FROM requires either one or three arguments"),
        ("FROM a\nCOPY\n", "COPY requires at least two arguments"),
        ("FROM $X\n", "should not be blank"),
        ("# escape=x\nFROM a\n", "invalid ESCAPE"),
    ],
)
def test_what_is_no_dockerfile_is_refused_in_dockers_words(text, words):
    with pytest.raises(InvalidParameter) as refusal:
        parse_dockerfile(text, {})
    assert words in refusal.value.message


def test_a_target_must_be_there():
    with pytest.raises(InvalidParameter, match="failed to reach build target x in Dockerfile"):
        plan_build(parse_dockerfile("FROM a\n", {}), "x")


def test_a_stage_takes_nothing_from_itself_or_later_ones():
    with pytest.raises(InvalidParameter, match="refers to current build block"):
        plan_build(parse_dockerfile("FROM a\nCOPY --from=0 x y\n", {}), "")
    with pytest.raises(InvalidParameter, match="no such stage before it"):
        plan_build(parse_dockerfile("FROM a\nCOPY --from=1 x y\n", {}), "")


def test_the_shell_of_a_step():
    (stage,) = parse_dockerfile('FROM a\nRUN x\nSHELL ["/bin/ash", "-x"]\nRUN y\n', {}).stages
    assert stage.shell_of(stage.steps[1]) == ("/bin/sh", "-c")
    assert stage.shell_of(stage.steps[3]) == ("/bin/ash", "-x")


def test_the_exec_form():
    assert json_words('["a", "b c"]') == ["a", "b c"]
    assert json_words("[ -e x ]") is None
    assert json_words("a") is None
    assert json_words("[1]") is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with suppress(HiveletError):
        assert parse_dockerfile(f"FROM a\n{text}", {}).stages[0].base == "a"
