"""What is read of a registry's manifests before anything is fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import HiveletError, InvalidParameter, NotFound
from hivelet.runtime.images.announced import announced_size, choose_manifest
from hivelet.runtime.images.platforms import Platform

LINUX = Platform(architecture="arm", variant="v7")


def digest(letter):
    return f"sha256:{letter * 64}"


def entry(letter, variant="", architecture="arm", **more):
    stated = {"os": "linux", "architecture": architecture, "variant": variant}
    return {"digest": digest(letter), "size": 3, "platform": stated, **more}


@pytest.mark.parametrize(
    ("variants", "chosen"),
    [
        (["v6", "v7", "v8"], "b"),
        (["v5", "v6"], "b"),
        (["v6", "v5"], "a"),
        (["v8", ""], "b"),
        (["", "v6"], "b"),
        (["v8"], "a"),
    ],
)
def test_the_variant_that_is_nearest(variants, chosen):
    entries = [entry(letter, variant) for letter, variant in zip("abc", variants, strict=False)]
    other = entry("f", architecture="amd64")
    assert choose_manifest({"manifests": [other, *entries]}, LINUX) == digest(chosen)


def test_a_manifest_is_no_index():
    assert choose_manifest({"config": {}, "layers": []}, LINUX) == ""


def test_none_for_the_platform():
    with pytest.raises(NotFound, match="no matching manifest for linux/arm/v7 in the manifest"):
        choose_manifest({"manifests": [entry("a", architecture="s390x"), {}]}, LINUX)


def test_the_size_is_that_of_config_and_layers():
    config = {"digest": digest("a"), "size": 5}
    layers = [{"digest": digest(letter), "size": size} for letter, size in (("b", 7), ("c", 0))]
    assert announced_size({"config": config, "layers": layers}) == 12


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "has no config"),
        ({"config": {"digest": "x", "size": 1}}, "'x' is no digest"),
        ({"config": {"digest": digest("a") + "/..", "size": 1}}, "is no digest"),
        ({"config": {"digest": f"sha512:{'a' * 128}", "size": 1}}, "only sha256"),
        ({"config": {"digest": digest("a"), "size": True}}, "True is no size"),
        ({"config": {"digest": digest("a"), "size": -1}}, "-1 is no size"),
        ({"config": {"digest": digest("a"), "size": 1}, "layers": [1]}, "layers is no list"),
        (
            {"config": {"digest": digest("a"), "size": 1}, "layers": [{}] * 1001},
            "more than 1000 layers",
        ),
    ],
)
def test_what_is_no_manifest(document, says):
    with pytest.raises(InvalidParameter, match=says):
        announced_size(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(digest("a")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "config",
                    "layers",
                    "manifests",
                    "digest",
                    "size",
                    "platform",
                    "os",
                    "architecture",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON.filter(lambda data: isinstance(data, dict)))
def test_whatever_is_said_is_a_size_or_an_error_of_ours(document):
    said = []
    for ask in (announced_size, lambda document: choose_manifest(document, LINUX)):
        try:
            said.append(str(ask(document)))
        except HiveletError as error:
            said.append(error.message)
    assert max(map(len, said)) < 300
