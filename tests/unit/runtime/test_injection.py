"""Names that look like options or hold line breaks: refused where they come in, before any program or file gets them."""

import pytest

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.references import parse_reference, parse_registry

HOSTILE = [
    "-x",
    "--config=/etc/passwd",
    "a\nb",
    "a b",
    "$(id)",
    "`id`",
    "a;id",
    "../../etc/passwd",
    "a\0b",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_an_image_reference(name):
    with pytest.raises(InvalidParameter):
        parse_reference(name)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name])
def test_a_registry(name):
    with pytest.raises(InvalidParameter):
        parse_registry(name)
