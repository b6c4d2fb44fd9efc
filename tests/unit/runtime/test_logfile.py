from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.convert.log import frame as encode
from hivelet.objects.log import STDERR, STDOUT, LogOptions, LogRecord
from hivelet.runtime.logfile import (
    PART_LIMIT,
    LogParser,
    is_past,
    is_wanted,
    parse_log_line,
    parse_stamp,
    tail_start,
)

STAMP = b"2026-01-02T03:04:05.123456789+00:00"
NS = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 10**9 + 123456789


def raw(text, stream="stdout", tag="F", stamp=STAMP):
    return b"%s %s %s %s" % (stamp, stream.encode(), tag.encode(), text)


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (raw(b"a b  c"), LogRecord(stream=STDOUT, time_ns=NS, line=b"a b  c\n")),
        (raw(b"x", "stderr", "P"), LogRecord(stream=STDERR, time_ns=NS, line=b"x")),
        (raw(b""), LogRecord(stream=STDOUT, time_ns=NS, line=b"\n")),
        (raw(b"\xff\x00"), LogRecord(stream=STDOUT, time_ns=NS, line=b"\xff\x00\n")),
    ],
)
def test_line(line, record):
    assert parse_log_line(line) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        raw(b"x", "stdin"),
        raw(b"x", tag="Q"),
        raw(b"x", stamp=b"yesterday"),
        STAMP + b" stdout F",
    ],
)
def test_what_is_no_line(line):
    assert parse_log_line(line) is None


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (STAMP, NS),
        (b"2026-01-02T04:04:05.123456789+01:00", NS),
        (b"2026-01-02T03:04:05.123456789Z", NS),
        (b"2026-01-01T21:34:05.123456789-05:30", NS),
        (b"2026-01-02T03:04:05.1Z", NS // 10**9 * 10**9 + 100_000_000),
        (b"2026-01-02T03:04:05Z", None),
        (b"2026-01-02T03:04:05.Z", None),
        (b"2026-01-02T03:04:05.1", None),
        (b"2026-13-02T03:04:05.1Z", None),
    ],
)
def test_stamp(stamp, expected):
    assert parse_stamp(stamp) == expected


def test_parts_are_joined_by_stream():
    parser = LogParser()
    text = b"\n".join(
        [raw(b"on", tag="P"), raw(b"e", "stderr", "P"), raw(b"e"), raw(b"rr", "stderr"), b""]
    )
    assert [(record.stream, record.line) for record in parser.feed(text)] == [
        (STDOUT, b"one\n"),
        (STDERR, b"err\n"),
    ]
    assert parser.flush() == []


def test_a_joined_line_has_the_time_of_its_beginning():
    later = b"2026-01-02T03:04:06.123456789+00:00"
    parser = LogParser()
    [record] = parser.feed(raw(b"a", tag="P") + b"\n" + raw(b"b", stamp=later) + b"\n")
    assert record.time_ns == NS


def test_a_very_long_line_comes_in_parts():
    parser = LogParser()
    text = b"".join(raw(b"x" * 8192, tag="P") + b"\n" for _ in range(5)) + raw(b"end") + b"\n"
    records = parser.feed(text)
    assert [len(record.line) for record in records] == [PART_LIMIT, PART_LIMIT, 8192 + 4]


def test_the_unfinished_comes_with_the_flush():
    parser = LogParser()
    assert parser.feed(raw(b"prompt> ", tag="P") + b"\n" + raw(b"half a raw li")) == []
    assert [record.line for record in parser.flush()] == [b"prompt> "]
    assert parser.flush() == []


texts = st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"~"))
entries = st.tuples(texts, st.sampled_from(["stdout", "stderr"]), st.sampled_from("FP"))


@given(st.lists(entries, max_size=20), st.lists(st.integers(1, 50), max_size=30))
def test_however_the_bytes_come_in_nothing_is_lost(lines, cuts):
    data = b"".join(raw(text, stream, tag) + b"\n" for text, stream, tag in lines)
    parser, records, rest = LogParser(), [], data
    for cut in cuts:
        records += parser.feed(rest[:cut])
        rest = rest[cut:]
    records += parser.feed(rest) + parser.flush()
    for number, name in ((STDOUT, "stdout"), (STDERR, "stderr")):
        written = b"".join(
            text + (b"\n" if tag == "F" else b"") for text, stream, tag in lines if stream == name
        )
        assert b"".join(record.line for record in records if record.stream == number) == written


@given(
    st.lists(entries, max_size=30), st.integers(0, 12), st.integers(1, 60), st.binary(max_size=5)
)
def test_tail_reads_the_last_lines_in_whatever_blocks(lines, wanted, block, half):
    half = half.replace(b"\n", b"")
    raws = [raw(text, stream, tag) + b"\n" for text, stream, tag in lines]
    data = b"".join(raws) + half

    def backward():
        end = len(data)
        while end > 0:
            begin = max(0, end - block)
            yield begin, data[begin:end]
            end = begin

    start = tail_start(backward(), wanted)
    ends = [
        index for index, (_, _, tag) in enumerate(lines) if tag == "F" or index == len(lines) - 1
    ]
    kept = ends[-wanted - 1] + 1 if len(ends) > wanted else 0
    assert data[start:] == b"".join(raws[kept:]) + half


@given(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=100))
def test_frame(stream, payload):
    frame = encode(stream, payload)
    assert frame[:4] == bytes([stream, 0, 0, 0])
    assert int.from_bytes(frame[4:8], "big") == len(payload)
    assert frame[8:] == payload


@pytest.mark.parametrize(
    ("options", "wanted", "past"),
    [
        (LogOptions(), True, False),
        (LogOptions(stdout=False), False, False),
        (LogOptions(stderr=False), True, False),
        (LogOptions(since_ns=100), True, False),
        (LogOptions(since_ns=101), False, False),
        (LogOptions(until_ns=100), True, False),
        (LogOptions(until_ns=99), True, True),
    ],
)
def test_what_a_reader_wants(options, wanted, past):
    record = LogRecord(stream=STDOUT, time_ns=100, line=b"x\n")
    assert is_wanted(record, options) is wanted
    assert is_past(record, options) is past
