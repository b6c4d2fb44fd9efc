"""Expansion of a Dockerfile's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import InvalidParameter
from hivelet.runtime.build.words import expand

VALUES = {"A": "a", "EMPTY": "", "N": "${A}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "x"),
        ("$A", "a"),
        ("${A}b", "ab"),
        ("$NONE", ""),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:-d}", "a"),
        ("${A:+d}", "d"),
        ("${EMPTY:+d}", ""),
        ("${EMPTY+d}", "d"),
        ("${NONE:-$A}", "a"),
        ("${NONE:-${EMPTY:-x}}y", "xy"),
        ("'$A'", "$A"),
        ('"$A"', "a"),
        (r"\$A", "$A"),
        ("$", "$"),
        ("$1", "$1"),
        ("$N", "${A}"),
    ],
)
def test_words(text, expected):
    assert expand(text, VALUES) == expected


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${A%x}"])
def test_what_is_no_variable_is_refused(text):
    with pytest.raises(InvalidParameter, match="failed to process"):
        expand(text, VALUES)


@given(st.text(alphabet=st.characters(exclude_characters="$\\'\"")))
def test_plain_text_stays(text):
    assert expand(text, VALUES) == text
