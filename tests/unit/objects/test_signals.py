import signal

import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.signals import parse_signal


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        ("15", 15),
        ("SIGRTMIN", signal.SIGRTMIN),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-1", signal.SIGRTMAX - 1),
        ("sigrtmax", signal.SIGRTMAX),
    ],
)
def test_signals(text, number):
    assert parse_signal(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "SIGBOGUS",
        "",
        "0",
        "65",
        "-1",
        "RTMIN+99",
        "RTMAX-31",
        "RTMIN-1",
        "RTMAX+1",
        "١٥",
        "SIG_DFL",
    ],
)
def test_no_signals(text):
    with pytest.raises(InvalidParameter, match="Invalid signal"):
        parse_signal(text)
