from __future__ import annotations

import pytest

from hivelet.engine.build.git import GitSource, is_repository, parse_source
from hivelet.errors import InvalidParameter


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("git://host/r", GitSource("git://host/r")),
        ("https://host/r.git", GitSource("https://host/r.git")),
        ("https://host/r.git#v1", GitSource("https://host/r.git", "v1")),
        ("http://host/r.git#v1:a/b", GitSource("http://host/r.git", "v1", "a/b")),
        ("github.com/ada/r#:sub", GitSource("https://github.com/ada/r", "HEAD", "sub")),
        ("git@host:ada/r.git#main", GitSource("git@host:ada/r.git", "main")),
    ],
)
def test_a_repository_is_named_as_docker_names_it(address, source):
    assert is_repository(address)
    assert parse_source(address) == source


@pytest.mark.parametrize(
    "address",
    [
        "https://host/context.tar.gz",
        "http://host/Dockerfile",
        "https://host/r.git/x",
        "https://host",
    ],
)
def test_other_addresses_are_downloaded(address):
    assert not is_repository(address)


def test_a_ref_is_no_option_of_git():
    with pytest.raises(InvalidParameter, match="invalid refspec: --upload-pack"):
        parse_source("git://host/r#--upload-pack=touch /tmp/x")
