import pytest

from hivelet.kit.durations import format_duration, parse_duration
from hivelet.objects.common import SECOND


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("0", 0), ("0s", 0), ("-1s", -1)],
)
def test_durations_are_read_as_go_writes_them(text, seconds):
    assert parse_duration(text) == seconds * SECOND
    assert parse_duration(format_duration(parse_duration(text))) == seconds * SECOND


@pytest.mark.parametrize("text", ["99999999h", "9223372036854775808ns", "-2562048h"])
def test_a_duration_that_go_could_not_hold_is_refused(text):
    with pytest.raises(ValueError, match=r"the longest duration is 2562047h47m16\.854775807s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "30", "s", "30s!", "ten seconds"])
def test_what_is_no_duration_says_how_to_write_one(text):
    with pytest.raises(ValueError, match='write it like "10s"'):
        parse_duration(text)
