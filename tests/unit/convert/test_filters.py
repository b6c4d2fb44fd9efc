import pytest

from hivelet.convert.filters import parse_filters
from hivelet.errors import InvalidParameter

KEYS = ("name", "label", "dangling")


@pytest.mark.parametrize(
    "text",
    [
        '{"name":["a","b"]}',
        '{"name":{"a":true,"b":true,"c":false}}',
        '{"name":["a","b"],"label":null}',
    ],
    ids=["list", "old-map", "with-null"],
)
def test_both_forms_are_read(text):
    assert parse_filters(text, KEYS).get("name") == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"foo":["x"]}', "Invalid filter 'foo'"),
        ("{bad", "invalid filters"),
        ('{"name":"x"}', "invalid filters"),
        ("[]", "invalid filters"),
    ],
)
def test_bad_filters_are_refused(text, message):
    with pytest.raises(InvalidParameter, match=message):
        parse_filters(text, KEYS)


def test_what_was_not_asked_for_matches_everything():
    filters = parse_filters("", KEYS)
    assert filters.exact("name", "x")
    assert filters.prefix("name", "x")
    assert filters.pattern("name", "x")
    assert filters.labels("label", {})
    assert filters.boolean("dangling") is None
    assert not filters.one_of("name", ("a",))


def test_ways_to_compare():
    filters = parse_filters('{"name":["we","^db$"]}', KEYS)
    assert not filters.exact("name", "web")
    assert filters.prefix("name", "web")
    assert filters.pattern("name", "aweb")
    assert filters.pattern("name", "db")
    assert not filters.pattern("name", "dbx")


def test_a_pattern_that_is_no_expression_is_compared_as_it_is():
    filters = parse_filters('{"name":["a("]}', KEYS)
    assert filters.pattern("name", "a(")
    assert not filters.pattern("name", "b")


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [("a", True), ("a=1", True), ("a=2", False), ("b", False), ("a=", False), ("c=", True)],
)
def test_labels(wanted, matches):
    filters = parse_filters(f'{{"label":["{wanted}"]}}', KEYS)
    assert filters.labels("label", {"a": "1", "c": ""}) is matches
    assert filters.without_labels("label", {"a": "1", "c": ""}) is not matches


def test_labels_must_all_match():
    filters = parse_filters('{"label":["a","b"]}', KEYS)
    assert not filters.labels("label", {"a": ""})
    assert filters.labels("label", {"a": "", "b": ""})


@pytest.mark.parametrize(
    ("value", "meaning"), [("true", True), ("1", True), ("False", False), ("0", False)]
)
def test_booleans(value, meaning):
    assert parse_filters(f'{{"dangling":["{value}"]}}', KEYS).boolean("dangling") is meaning


def test_a_boolean_that_is_none_is_refused():
    with pytest.raises(InvalidParameter, match=r"Invalid filter 'dangling=\[maybe\]'"):
        parse_filters('{"dangling":["maybe"]}', KEYS).boolean("dangling")


def test_a_value_that_is_not_allowed_is_refused():
    with pytest.raises(InvalidParameter, match="Invalid name filter: 'x'"):
        parse_filters('{"name":["x"]}', KEYS).one_of("name", ("a",))
