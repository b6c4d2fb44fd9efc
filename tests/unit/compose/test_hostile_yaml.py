"""Files that nobody wrote to be read: each is a document or one complaint, in bounded time."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hivelet.compose.document import ComposeError
from hivelet.compose.dotenv import parse_dotenv
from hivelet.compose.env_files import parse_env_file
from hivelet.compose.interpolate import substitute
from hivelet.compose.ports import parse_port
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import parse_cpus, parse_mode, parse_size, parse_swap
from hivelet.compose.volumes import parse_volume
from hivelet.compose.yaml_reader import read_yaml
from hivelet.kit.durations import parse_duration

PIECES = st.sampled_from(
    ["a: ", "- ", "&x ", "*x", "<<: ", "*x\n", "\n", "  ", "{", "}", "[", "]", ",", ": ", "? ", "| ", ">-\n", "'", '"', "!reset ",
     "!!int ", "!!binary ", "!<tag:x> ", "---\n", "...\n", "%YAML 1.1\n", "0x", "1e999", "9" * 80, "\t", "\0", "\x85", "\ufeff", "é", "#"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join))


@settings(max_examples=150)
@given(TEXTS)
@example("a: &x\n  <<: *x\n")
@example("a: &x [*x, *x]")
@example("? [a]\n: b")
@example("a: !!int x\n")
@example("a: \x00")
@example("%YAML 9.9\n---\na: 1")
@example("%TAG ! tag:x\n---\na: !y 1")
@example("\ud800: 1")
@example("a: 0x" + "f" * 5000)
@example("a: " + "9" * 5000)
@example("a: 1e" + "9" * 5000)
@example('a: "\\ud800"')
@example('a: "\\UFFFFFFFF"')
def test_any_text_is_a_document_or_a_complaint(text: str) -> None:
    with contextlib.suppress(ComposeError):
        read_yaml(text, "compose.yml").root.plain()


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join([f'*{chr(97 + n)}'] * 50)}]}}\n"
    for n in range(20)
)


@pytest.mark.parametrize(
    "text",
    [BOMB, MERGES, "a: " + "[" * 3_000, "a: " + "{a: " * 1_000, "- " * 3_000, "a: &" + "x" * 100_000, "&a " * 2_000],
    ids=["aliases", "merges", "lists", "mappings", "dashes", "anchor", "anchors"],
)  # fmt: skip
def test_bombs_are_refused_or_harmless(text: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(ComposeError):
        read_yaml(text, "compose.yml")
    assert time.process_time() - begun < 20


WORDS = {
    "dotenv": lambda text: parse_dotenv(text, ".env", {"A": "b"}),
    "env_file": lambda text: parse_env_file(text, "x.env", {"A": "b"}),
    "interpolation": lambda text: substitute(text, {"A": "b"}),
    "port": parse_port,
    "volume": parse_volume,
    "command": split_words,
    "size": parse_size,
    "swap": parse_swap,
    "cpus": parse_cpus,
    "mode": parse_mode,
    "duration": parse_duration,
}


@pytest.mark.parametrize("name", WORDS)
@settings(max_examples=60)
@given(
    text=st.one_of(
        st.text(max_size=40),
        st.text("0123456789abkmgtpe.:-/+_$ {}A?=\n'\"\\#", max_size=30),
        st.integers().map(str),
    )
)
@example(text="9" * 5000)
@example(text="9" * 400 + "g")
@example(text="1e999")
@example(text="0." + "1" * 5000)
@example(text="${" * 3000)
@example(text="${A:-" * 2000 + "}" * 2000)
@example(text="1-4294967296:80")
@example(text="1-60000:1-60000")
@example(text="'" * 3001)
@example(text="\ud800")
@example(text="٣")
@example(text="²")
def test_a_word_is_read_or_refused(name: str, text: str) -> None:
    # What a reader of one word raises is put into a sentence with its place by whoever calls it.
    with contextlib.suppress(ValueError, ComposeError):
        WORDS[name](text)
