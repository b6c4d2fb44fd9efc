"""Values of queries that no client means well with: each gets an answer, at once, in one of our own errors."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hivelet.convert import event, query
from hivelet.convert.build import parse_build, parse_registry_config
from hivelet.convert.detach_keys import parse_detach_keys
from hivelet.convert.filters import parse_filters
from hivelet.convert.image import parse_auth, until_moment
from hivelet.convert.versions import parse_version
from hivelet.errors import HiveletError
from hivelet.objects.signals import parse_signal

NOW = datetime(2026, 1, 1, tzinfo=UTC)

NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(1, 6000).map(lambda length: "9" * length),
    st.decimals().map(str),
    st.text("0123456789+-._ eE٣²", max_size=30),
)
TEXTS = st.one_of(NUMBERS, st.text(max_size=40), st.text("0123456789hms-:T.Z", max_size=30))

READERS: dict[str, Callable[[str], Any]] = {
    "integer": lambda text: query.integer({"n": text}, "n"),
    "size": lambda text: query.terminal_size({"h": text, "w": text}),
    "version": lambda text: query.object_version({"version": text}, "service"),
    "time": query.timestamp_ns,
    "tail": lambda text: query.log_options({"stdout": "1", "tail": text}),
    "span": lambda text: event.parse_span(text, text),
    "until": lambda text: until_moment(text, NOW),
    "keys": parse_detach_keys,
    "api": parse_version,
    "signal": parse_signal,
    "auth": parse_auth,
    "auths": parse_registry_config,
    "limits": lambda text: parse_build({"memory": text, "ulimits": text, "labels": text}, {}, ""),
}


@pytest.mark.parametrize("name", READERS)
@given(text=TEXTS)
@example(text="9" * 5000)
@example(text="9" * 5000 + "h")
@example(text="99999999999999999999h")
@example(text="-99999999999999")
@example(text="999999999999999")
@example(text="\ud800")
@example(text="\0")
@example(text="e30=")
@example(text="W10=")
@example(text="bnVsbA==")
@example(text="eyJ1c2VybmFtZSI6MX0=")
@example(text="[" * 5000)
def test_a_value_is_read_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(HiveletError):
        READERS[name](text)


@given(
    st.one_of(
        st.text(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["label", "name", "x"]), inner, max_size=3)
            ),
            max_leaves=8,
        ).map(json.dumps),
    )
)
@example('{"label": {"a": 1}}')
@example('{"label": "a"}')
@example('{"name": ["("]}')
@example('{"name": ["\\ud800"]}')
def test_filters_are_read_or_refused_and_then_match_something_or_nothing(text: str) -> None:
    try:
        filters = parse_filters(text, ("label", "name"))
    except HiveletError:
        return
    assert isinstance(filters.labels("label", {"a": "b"}), bool)
    assert isinstance(filters.pattern("name", "web", "é"), bool)
    assert isinstance(filters.prefix("name", "web"), bool)


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|aa)+$b", "(.*)*x", "((a*)*)*b"])
def test_an_expression_takes_no_longer_than_its_text(expression: str) -> None:
    """Each takes Python's own expressions longer than the sun has left."""
    filters = parse_filters(json.dumps({"name": [expression]}), ("name",))
    begun = time.process_time()
    assert not filters.pattern("name", "a" * 2000)
    assert time.process_time() - begun < 1
