"""What buildah prints, in Docker's words; what a command prints stays as it is."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.runtime.build.dockerfile import parse_dockerfile
from hivelet.runtime.build.failures import explain_failure
from hivelet.runtime.build.narrate import Narrator
from hivelet.runtime.build.plan import plan_build

BASE = "sha256:" + "b" * 64
MADE = "a" * 64
TWO = "ARG X\nFROM base AS one\nRUN a\nFROM one\nENV a=b\nRUN b\n"
SAID = f"""\
[1/2] STEP 1/2: FROM {BASE[7:]} AS one
[1/2] STEP 2/2: RUN a
said by a
--> 0123456789a
[2/2] STEP 1/3: FROM {MADE}
[2/2] STEP 2/3: ENV a=b
--> Using cache {MADE}
--> {MADE[:11]}
[2/2] STEP 3/3: RUN b
STEP 1/1: FROM nothing
{MADE}
not the last
[2/2] COMMIT
Writing manifest
--> 0123456789b
{BASE[7:]}
"""
TOLD = f"""\
Step 1/6 : ARG X
Step 2/6 : FROM base AS one
 ---> {"b" * 12}
Step 3/6 : RUN a
said by a
 ---> 0123456789a
Step 4/6 : FROM one
 ---> {"a" * 12}
Step 5/6 : ENV a=b
 ---> Using cache
 ---> {"a" * 12}
Step 6/6 : RUN b
STEP 1/1: FROM nothing
{MADE}
not the last
 ---> 0123456789b
"""


def plan(text: str = TWO):
    return plan_build(parse_dockerfile(text, {}), "")


def narrate(said: str, text: str = TWO, *, failed: bool = False) -> tuple[str, Narrator]:
    narrator = Narrator(plan(text), {"base": BASE})
    out = narrator.feed(said.encode()) + narrator.end(failed=failed)
    return "".join(out), narrator


def test_a_build_in_dockers_words():
    told, narrator = narrate(SAID)
    assert told == TOLD
    assert narrator.identity == BASE[7:]


@given(st.lists(st.integers(0, len(SAID)), max_size=20))
def test_pieces_make_no_difference(cuts):
    narrator = Narrator(plan(), {"base": BASE})
    places = [0, *sorted(cuts), len(SAID)]
    out = [
        text for begin, end in pairwise(places) for text in narrator.feed(SAID[begin:end].encode())
    ]
    assert "".join(out + narrator.end(failed=False)) == TOLD


def test_half_a_line_is_told_at_once():
    narrator = Narrator(plan("FROM base\nRUN a\n"), {"base": BASE})
    narrator.feed(b"STEP 1/2: FROM base\nSTEP 2/2: RUN a\n")
    assert narrator.feed(b"10 %\r") == ["10 %\r"]
    assert narrator.feed(b"20 %\r") == ["20 %\r"]
    assert narrator.feed("ü".encode()[:1]) == []
    assert narrator.feed("ü\n".encode()[1:]) == ["ü\n"]


def test_triggers_of_the_base_are_told():
    said = "STEP 1/1: FROM base\nSTEP 2/3: RUN trigger\nhi\nSTEP 3/3: RUN a\n"
    told = narrate(said, "FROM base\nRUN a\n")[0]
    assert told == "Step 1/2 : FROM base\n# Executing 1 build trigger\nhi\nStep 2/2 : RUN a\n"


def test_an_error_is_told_as_one_only_at_the_end():
    begun = "STEP 1/2: FROM base\nSTEP 2/2: RUN a\n"
    told, _ = narrate(f"{begun}Error: not the end\nmore\n", "FROM base\nRUN a\n")
    assert told.endswith("Error: not the end\nmore\n")
    said = f'{begun}out\nError: building at STEP "RUN a": while running runtime: exit status 4\n'
    told, narrator = narrate(said, "FROM base\nRUN a\n", failed=True)
    assert told.endswith("RUN a\nout\n")
    failure = explain_failure(plan("FROM base\nRUN a\n"), narrator.step, narrator.error, "/ctx")
    assert failure.message == "The command '/bin/sh -c a' returned a non-zero code: 4"
    assert failure.code == 4


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (
            "COPY x /",
            'building at STEP "COPY x /": checking on sources under "/ctx": copier: stat: "/x": no such file or directory',
            "COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist",
        ),
        (
            "COPY --from=one x /",
            'building at STEP "COPY --from=one x /": copier: stat: "/x": no such file or directory',
            "COPY failed: file not found in stage --from=one: stat x: file does not exist",
        ),
        (
            "ADD http://h/x /",
            'building at STEP "ADD http://h/x /": reading "http://h/x": connection refused',
            'ADD failed: reading "http://h/x": connection refused',
        ),
        ('RUN ["a", "b"]', "x: exit status 2", "The command 'a b' returned a non-zero code: 2"),
        ("RUN a", "x: signal: killed", "The command '/bin/sh -c a' returned a non-zero code: 137"),
        ("USER x", "no such user", "USER x: no such user"),
        ("RUN a", "something else", "RUN a: something else"),
    ],
)
def test_failures(step, error, words):
    failed = explain_failure(plan(f"FROM base AS one\nFROM base\n{step}\n"), (1, 1), error, "/ctx")
    assert failed.message == words


def test_a_failure_before_the_first_step():
    assert explain_failure(plan(), (-1, 0), "", "/ctx").message == "the build ended without a word"
