import pytest

from hivelet.convert.lookup import find
from hivelet.convert.query import flag, integer, log_options, object_version, timestamp_ns
from hivelet.convert.versions import MAXIMUM, ApiVersion, parse_version
from hivelet.errors import InvalidParameter, NotFound
from hivelet.kit.durations import human_duration
from hivelet.objects.log import LogOptions


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("1", True),
        ("true", True),
        ("yes", True),
        ("", False),
        ("0", False),
        ("no", False),
        ("None", False),
    ],
)
def test_flags(value, meaning):
    assert flag({"x": value}, "x") is meaning


def test_an_absent_flag_is_its_default():
    assert flag({}, "x", default=True)
    assert not flag({}, "x")


def test_numbers():
    assert integer({"t": "-1"}, "t") == -1
    assert integer({"t": ""}, "t") is None
    with pytest.raises(InvalidParameter, match="t=soon"):
        integer({"t": "soon"}, "t")


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5"])
def test_object_versions_must_be_numbers(text):
    with pytest.raises(InvalidParameter, match=f"invalid node version '{text}'"):
        object_version({"version": text}, "node")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("5", 5 * 10**9), ("5.000000001", 5 * 10**9 + 1), ("5.1", 5 * 10**9 + 10**8)],
)
def test_timestamps(text, expected):
    assert timestamp_ns(text) == expected


def test_a_date_is_no_timestamp():
    with pytest.raises(InvalidParameter, match="seconds since 1970"):
        timestamp_ns("yesterday")


@pytest.mark.parametrize(
    ("tail", "expected"), [("all", None), ("", None), ("5", 5), ("-1", None), ("0", 0)]
)
def test_log_options(tail, expected):
    options = log_options({"stdout": "1", "tail": tail, "since": "2"})
    assert options == LogOptions(stderr=False, tail=expected, since_ns=2 * 10**9)


def test_a_log_needs_a_stream():
    with pytest.raises(InvalidParameter, match="at least one stream"):
        log_options({})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (180, "3 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (15 * 86400, "2 weeks"),
        (61 * 86400, "2 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_durations_in_words(seconds, words):
    assert human_duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.99", "client version 1.99 is too new. Maximum supported API version is 1.47"),
        (
            "1.11",
            "client version 1.11 is too old. Minimum supported API version is 1.24, please upgrade",
        ),
        ("1.x", "invalid API version"),
        ("99999.1", "invalid API version"),
    ],
)
def test_versions_that_are_not_served(text, message):
    with pytest.raises(InvalidParameter, match=message):
        parse_version(text)


def test_versions_compare_as_numbers():
    assert parse_version("1.24") < parse_version("1.41") < ApiVersion(1, 47) == MAXIMUM


OBJECTS = [("abc1", "web"), ("abd2", "abc1"), ("xyz3", "db"), ("xyz4", "db")]


@pytest.mark.parametrize(
    ("ref", "found"),
    [("abc1", "abc1"), ("web", "abc1"), ("abd", "abd2"), ("xyz3", "xyz3")],
    ids=["id-before-name", "name", "prefix", "whole-id"],
)
def test_find(ref, found):
    assert find(ref, OBJECTS, lambda o: o, noun="thing")[0] == found


@pytest.mark.parametrize("ref", ["db", "ab", "xyz"])
def test_find_refuses_to_guess(ref):
    with pytest.raises(InvalidParameter, match=f"thing {ref} is ambiguous"):
        find(ref, OBJECTS, lambda o: o, noun="thing")


@pytest.mark.parametrize("ref", ["", "nope"])
def test_find_nothing(ref):
    with pytest.raises(NotFound, match=f"thing {ref} not found"):
        find(ref, OBJECTS, lambda o: o, noun="thing")
