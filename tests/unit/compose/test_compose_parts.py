"""The small languages of a compose file: durations, sizes, commands, ports, mounts, variables, scalars, env files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.compose.capabilities import effective_capabilities
from hivelet.compose.env_files import parse_env_file
from hivelet.compose.images import with_default_tag
from hivelet.compose.interpolate import interpolate, substitute
from hivelet.compose.merge import merge_services
from hivelet.compose.ports import Port, parse_port
from hivelet.compose.shell_words import split_words
from hivelet.compose.units import format_number, parse_cpus, parse_size
from hivelet.compose.yaml_reader import read_yaml, resolve_plain
from hivelet.kit.durations import format_duration, parse_duration

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10s", 10 * SECOND), ("1m30s", 90 * SECOND), ("1.5h", 5400 * SECOND), ("250ms", SECOND // 4), ("0", 0), ("-3s", -3 * SECOND), ("1us", 1000), ("1h2m3s4ms5µs6ns", 3723004005006)],
)  # fmt: skip
def test_durations(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5x", "1m30", "--1s"])
def test_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0s"), (90 * SECOND, "1m30s"), (7200 * SECOND, "2h0m0s"), (1_500_000_000, "1.5s"), (250_000_000, "250ms"), (1500, "1.5µs"), (7, "7ns"), (-SECOND, "-1s"), (3600 * SECOND + 5, "1h0m0.000000005s")],
)  # fmt: skip
def test_durations_are_printed_as_go_does(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_durations_read_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024", 1024), ("1k", 1024), ("50M", 52428800), ("20mb", 20971520), ("1.5GiB", 1610612736), ("1 g", 1073741824), ("5x", None), ("", None), ("-1", None)],
)  # fmt: skip
def test_sizes(text: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match="is not a size"):
            parse_size(text)
    else:
        assert parse_size(text) == size


def test_cpus() -> None:
    assert parse_cpus("0.5") == 500_000_000
    for text in ("x", "-1", "nan", "0.0000000001"):
        with pytest.raises(ValueError, match="number of CPUs"):
            parse_cpus(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1"), (0.5, "0.5"), (1e6, "1e+06"), (1234567.0, "1.234567e+06"), (1e-7, "1e-07"), (1e21, "1e+21"), (0.0, "0"), (-2.5, "-2.5"), (123456.5, "123456.5")],
)  # fmt: skip
def test_numbers_are_printed_as_go_does(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "python manage.py runserver 0.0.0.0:8000",
            ["python", "manage.py", "runserver", "0.0.0.0:8000"],
        ),
        ('sh -c "a b" \'c "d"\'', ["sh", "-c", "a b", 'c "d"']),
        ("a\\ b c", ["a b", "c"]),
        ('a"b c"d', ["ab cd"]),
        ("a#b # comment\nc", ["a#b", "c"]),
        ("''", [""]),
        ("", []),
    ],
)
def test_commands(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_ports() -> None:
    assert parse_port("[::1]:80:8080/udp") == (Port(8080, 80, "udp", "::1"),)
    assert parse_port("::1:80:8080") == (Port(8080, 80, "tcp", "::1"),)
    assert parse_port("127.0.0.1::80") == (Port(80, 0, "tcp", "127.0.0.1"),)
    assert [port.target for port in parse_port("9-11")] == [10, 11, 9]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A ${A} $$A", "value value $A"),
        ("${E:-x} ${E-x} ${U:-x} ${U-x}", "x  x x"),
        ("${A:+x} ${A+x} ${E:+x}${E+x} ${U:+x}${U+x}", "x x x "),
        ("${U:-${A}-$A}", "value-value"),
        ("${U:-a:-b}", "a:-b"),
        ("${U}", ""),
        ("no variable", "no variable"),
    ],
)
def test_variables(text: str, result: str) -> None:
    assert substitute(text, {"A": "value", "E": ""}) == result


@pytest.mark.parametrize(
    "text", ["$", "$1", "${", "${A", "${}", "${A!}", "${U:?}", "${E:?why}", "${U?why}"]
)
def test_malformed_variables(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        substitute(text, {"E": ""})


def test_only_what_changed_is_cast() -> None:
    data = {
        "services": {
            "a": {"image": "x", "deploy": {"replicas": "${N}", "mode": "${M}"}, "tty": "${T}"}
        }
    }
    result, problems, unset = interpolate(data, {"N": "3", "T": "on", "M": "global"})
    assert result == {
        "services": {"a": {"image": "x", "deploy": {"replicas": 3, "mode": "global"}, "tty": True}}
    }
    assert (problems, unset) == ([], set())


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("true", True), ("5672:5672", "5672:5672"), ("017", 15), ("0o17", 15), ("08", 8.0), ("1_000", 1000), ("0x1F", 31), (".5", 0.5), ("~", None), ("", None), ("2001-01-01", "2001-01-01"), ("1.2.3", "1.2.3"), ("-017", -15), ("0b11", 3), ("_1", "_1"), ("9" * 400, "9" * 400), ("1e999", "1e999"), ("9" * 5000, "9" * 5000), ("9" * 100, 1e100)],
)  # fmt: skip
def test_plain_scalars(text: str, value: object) -> None:
    assert resolve_plain(text) == value


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_complaint(text: str) -> None:
    from hivelet.compose.document import ComposeError

    try:
        read_yaml(text, "f.yml")
    except ComposeError as error:
        told = error.message
    else:
        told = "f.yml"
    assert told.startswith("f.yml")


def test_env_files() -> None:
    text = '# comment\nA=1\n  B=2 \nQ="x"\nFROM\nGONE\n\nE=\n'
    assert parse_env_file(text, "f", {"FROM": "here"}) == {
        "A": "1",
        "B": "2 ",
        "Q": '"x"',
        "FROM": "here",
        "E": "",
    }
    for bad in ("=x", "a b=c"):
        with pytest.raises(ValueError, match="f:1"):
            parse_env_file(bad, "f", {})


@pytest.mark.parametrize(
    ("image", "tagged"),
    [("a", "a:latest"), ("a:1", "a:1"), ("r:5000/a", "r:5000/a:latest"), ("r:5000/a:2", "r:5000/a:2"), ("a@sha256:b", "a@sha256:b"), ("", "")],
)  # fmt: skip
def test_default_tag(image: str, tagged: str) -> None:
    assert with_default_tag(image) == tagged


def test_capabilities() -> None:
    assert effective_capabilities(["net_admin", "CAP_CHOWN"], ["chown", "ALL"]) == (
        ["CAP_CHOWN", "CAP_NET_ADMIN"],
        ["ALL"],
    )
    assert effective_capabilities(["ALL", "x"], ["chown"]) == (["ALL"], ["CAP_CHOWN"])


def test_a_given_value_always_wins_in_a_merge() -> None:
    base = {
        "tty": True,
        "deploy": {"replicas": 3},
        "healthcheck": {"test": ["CMD", "a"]},
        "dns": ["1.1.1.1"],
    }
    override = {
        "tty": False,
        "deploy": {"replicas": 0},
        "healthcheck": {"test": ["CMD", "b"]},
        "dns": ["1.1.1.1"],
    }
    assert merge_services(base, override) == override
