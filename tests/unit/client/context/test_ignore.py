"""`.dockerignore`, pattern by pattern."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.client.context.ignore import IgnoreRules, parse_ignore
from hivelet.errors import HiveletError, InvalidParameter


@pytest.mark.parametrize(
    ("patterns", "ignored", "kept"),
    [
        ("*.pyc", ["a.pyc"], ["sub/a.pyc", "a.py"]),
        ("**/*.pyc", ["a.pyc", "sub/a.pyc", "a/b/c.pyc"], ["a.py"]),
        ("node_modules", ["node_modules", "node_modules/x/y"], ["sub/node_modules"]),
        ("/abs", ["abs"], ["sub/abs"]),
        ("sub/", ["sub", "sub/x"], ["subx"]),
        ("./a/../b", ["b"], ["a"]),
        ("*", ["a", "a/b"], []),
        ("*\n!keep", ["a"], ["keep", "keep/inner"]),
        ("*\n!keep\nkeep/no", ["a", "keep/no"], ["keep", "keep/yes"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[ab].txt", ["a.txt"], ["c.txt"]),
        ("[^ab].txt", ["c.txt"], ["a.txt"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["az"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("# comment\n\n  spaces  ", ["spaces"], ["# comment"]),
        (r"a\*", ["a*"], ["ab"]),
    ],
)
def test_patterns(patterns, ignored, kept):
    rules = IgnoreRules(parse_ignore(patterns))
    assert [path for path in ignored + kept if rules.ignores(path)] == ignored


@pytest.mark.parametrize("text", ["!", "[z-a]"])
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(InvalidParameter, match="dockerignore"):
        IgnoreRules(parse_ignore(text))


@given(st.text(max_size=40), st.text(min_size=1, max_size=20))
def test_any_text_is_a_rule_or_refused(text, path):
    with suppress(HiveletError):
        assert IgnoreRules(parse_ignore(text)).ignores(path) in (True, False)
