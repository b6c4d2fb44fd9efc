import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.references import parse_any, parse_reference, parse_tagged

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("myweb", "docker.io/library/myweb:latest", "myweb:latest"),
        ("rabbitmq:3", "docker.io/library/rabbitmq:3", "rabbitmq:3"),
        ("library/rabbitmq:3", "docker.io/library/rabbitmq:3", "rabbitmq:3"),
        ("docker.io/rabbitmq", "docker.io/library/rabbitmq:latest", "rabbitmq:latest"),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
        ("a/b:1.0", "docker.io/a/b:1.0", "a/b:1.0"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
        ("reg.example.com:5000/a/b:t", "reg.example.com:5000/a/b:t", "reg.example.com:5000/a/b:t"),
        ("[::1]:5000/a:t", "[::1]:5000/a:t", "[::1]:5000/a:t"),
        ("Reg/x", "Reg/x:latest", "Reg/x:latest"),
        (f"x@{DIGEST}", f"docker.io/library/x@{DIGEST}", f"x@{DIGEST}"),
        (f"x:1@{DIGEST}", f"docker.io/library/x:1@{DIGEST}", f"x:1@{DIGEST}"),
        ("a__b/c-d.e---f", "docker.io/a__b/c-d.e---f:latest", "a__b/c-d.e---f:latest"),
    ],
)
def test_reads_what_docker_reads(text, canonical, familiar):
    reference = parse_reference(text).with_default_tag()
    assert (reference.canonical, reference.familiar) == (canonical, familiar)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("My/Web", "must be lowercase"),
        ("myWeb", "must be lowercase"),
        (":tag", "not a repository name"),
        ("a:", "not a tag"),
        ("a:b:c", "not a tag"),
        ("a/b:" + "t" * 129, "not a tag"),
        ("a//b", "not a repository name"),
        ("/a", "not a repository name"),
        ("-a", "not a repository name"),
        ("a b", "not a repository name"),
        ("a\n", "not a repository name"),
        ("docker.io/", "not a repository name"),
        ("a@sha256:123", "digest length"),
        ("a@md5:" + "1" * 32, "unsupported digest"),
        ("a@sha256:" + "G" * 64, "not a digest"),
        ("a" * 250, "255 characters"),
        ("ex_ample.com/a", "host name"),
    ],
)
def test_says_what_is_wrong_with_others(text, why):
    with pytest.raises(InvalidParameter, match="invalid reference format") as caught:
        parse_reference(text)
    assert why in caught.value.message


def test_a_whole_id_is_no_name():
    with pytest.raises(InvalidParameter, match="cannot specify 64-byte hexadecimal strings"):
        parse_reference(HEX)


def test_a_digest_is_no_target_for_a_tag():
    with pytest.raises(InvalidParameter, match="refusing to create a tag with a digest"):
        parse_tagged(f"x@{DIGEST}")


@pytest.mark.parametrize(
    ("text", "prefix", "has_reference"),
    [
        (HEX, HEX, False),
        (DIGEST, HEX, False),
        ("sha256:ab", "ab", False),
        ("abc123", "abc123", True),
        ("busybox", "", True),
        ("beef:1", "", True),
    ],
)
def test_lookups_may_mean_ids(text, prefix, has_reference):
    lookup = parse_any(text)
    assert (lookup.id_prefix, lookup.reference is not None) == (prefix, has_reference)


component = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}", fullmatch=True)
# A first part with a dot would be read as a host's name where the registry is left out; Docker has that ambiguity, too.
first = st.from_regex(
    r"[a-z][a-z0-9]{0,6}((_|__|-{1,2})[a-z0-9]{1,6}){0,2}", fullmatch=True
).filter(lambda word: word != "localhost")
domain = st.sampled_from(["", "docker.io/", "localhost/", "r.example.com/", "10.0.0.1:5000/"])
tag = st.one_of(st.just(""), st.from_regex(r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True))


@given(domain, first, st.lists(component, max_size=2), tag)
def test_familiar_and_canonical_mean_the_same(domain, first, path, tag):
    text = domain + "/".join([first, *path]) + tag
    reference = parse_reference(text)
    assert parse_reference(reference.canonical) == reference
    assert parse_reference(reference.familiar) == reference


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        reference = parse_reference(text)
    except InvalidParameter:
        return
    assert parse_reference(reference.canonical) == reference
