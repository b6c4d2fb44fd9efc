"""A `.dockerignore` that somebody wrote to harm: its patterns are compared at once, and names need not be text."""

import os
import time

import pytest

from hivelet.client.context.ignore import IgnoreRules, parse_ignore


@pytest.mark.parametrize(
    "pattern", ["*a" * 30 + "b", "**" * 60 + "b", "?*" * 40 + "b", "[a]*" * 30 + "b"]
)
def test_a_pattern_takes_no_longer_than_its_text(pattern):
    rules = IgnoreRules(parse_ignore(pattern))
    begun = time.process_time()
    assert not rules.ignores("a" * 250 + "c/" + "a" * 250 + "d")
    assert time.process_time() - begun < 1


def test_a_name_that_is_no_text_is_compared_byte_by_byte():
    name = os.fsdecode(b"a\xff\xfe.pyc")
    assert IgnoreRules(["*.pyc"]).ignores(name)
    assert IgnoreRules(["a??.pyc"]).ignores(name)
    assert not IgnoreRules(["b*"]).ignores(name)


def test_only_a_line_feed_ends_a_line():
    assert parse_ignore("a\x0cb\r\nc\u2028d\n") == ["a\x0cb", "c\u2028d"]
