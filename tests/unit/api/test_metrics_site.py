import pytest

from hivelet.api.metrics_site import parse_metrics_address
from hivelet.errors import InvalidParameter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9323", ("127.0.0.1", 9323)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
    ],
)
def test_addresses(text, found):
    assert parse_metrics_address(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9323",
        ":9323",
        "localhost:9323",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:70000",
        "1.2.3.4:x",
    ],
)
def test_what_is_none_is_refused_with_the_way_out(text):
    with pytest.raises(InvalidParameter, match=r"metrics-addr.*write .*:9323"):
        parse_metrics_address(text)
