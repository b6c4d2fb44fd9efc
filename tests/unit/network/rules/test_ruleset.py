from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hivelet.network.rules.ruleset import EMPTY, Chain, Change, Fragment, RuleBook, tagged

TABLE = "ip t"


def commands(change: Change) -> list[str]:
    """The commands without the tags of their rules."""
    return [line.partition(' comment "hv:')[0] for line in change.commands(TABLE)]


def fragment(chain: str = "", rule: str = "", **elements: str) -> Fragment:
    return Fragment(
        chains={chain: Chain(rules=(rule,))} if chain else {},
        elements={("m", key): value for key, value in elements.items()},
    )


def test_a_new_owner_is_added_chains_first():
    book = RuleBook()
    change = book.update({"a": fragment("c", "accept", k="goto c")})
    assert commands(change) == [
        "add chain ip t c",
        "add rule ip t c accept",
        "add element ip t m { k : goto c }",
    ]


def test_only_the_changed_chain_is_rewritten():
    book = RuleBook()
    book.update({"a": fragment("c", "accept", k="goto c"), "b": fragment("d", "drop", l="goto d")})
    change = book.update(
        {"a": fragment("c", "reject", k="goto c"), "b": fragment("d", "drop", l="goto d")}
    )
    assert commands(change) == [
        "add chain ip t c",
        "flush chain ip t c",
        "add rule ip t c reject",
    ]


def test_a_leaving_owner_takes_its_elements_before_its_chains():
    book = RuleBook()
    book.update({"a": fragment("c", "accept", k="goto c")})
    assert commands(book.update({"a": EMPTY})) == [
        "delete element ip t m { k }",
        "flush chain ip t c",
        "delete chain ip t c",
    ]
    assert book.merged() == EMPTY


def test_nothing_changed_is_no_command():
    book = RuleBook()
    book.update({"a": fragment("c", "accept", k="goto c")})
    assert book.update({"a": fragment("c", "accept", k="goto c")}).commands(TABLE) == []


def test_the_first_claimant_keeps_an_element_until_it_lets_go():
    book = RuleBook()
    book.update({"a": fragment("c", "accept", k="goto c")})
    change = book.update({"b": fragment("d", "accept", k="goto d")})
    assert commands(change) == ["add chain ip t d", "add rule ip t d accept"]
    assert change.contested == {("m", "k"): ("a", "b")}
    assert commands(book.update({"a": EMPTY})) == [
        "delete element ip t m { k }",
        "add element ip t m { k : goto d }",
        "flush chain ip t c",
        "delete chain ip t c",
    ]


def test_a_port_that_moves_in_one_transaction_is_deleted_and_added():
    book = RuleBook()
    book.update({"a": fragment("c", "accept", k="goto c")})
    change = book.update({"a": fragment("c", "accept"), "b": fragment("d", "accept", k="goto d")})
    assert commands(change) == [
        "delete element ip t m { k }",
        "add chain ip t d",
        "add rule ip t d accept",
        "add element ip t m { k : goto d }",
    ]


def test_comments_cannot_break_out():
    book = RuleBook()
    named = Fragment(chains={"c": Chain(rules=(), comment='a "b" c')})
    assert commands(book.update({"a": named})) == ["""add chain ip t c { comment "a 'b' c"; }"""]


FRAGMENTS = st.builds(
    lambda keys, rule: Fragment(chains={}, elements={("m", key): rule for key in keys}),
    st.sets(st.sampled_from("xyz")),
    st.sampled_from(["1", "2"]),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), FRAGMENTS, min_size=1), max_size=12))
def test_the_kernel_always_has_what_the_book_says(steps):
    book, kernel = RuleBook(), {}
    for step in steps:
        for line in book.update(step).commands(TABLE):
            verb, _, _, _, _, rest = line.split(" ", 5)
            for item in rest.strip("{} ").split(", "):
                key, _, value = item.partition(" : ")
                if verb == "delete":
                    del kernel[key]  # deleting what is not there fails the transaction
                else:
                    assert key not in kernel  # so does adding what is there with another value
                    kernel[key] = value
        assert kernel == {key: value for (_, key), value in book.merged().elements.items()}


def test_an_element_is_led_to_a_new_chain_when_that_has_its_rules():
    book = RuleBook()
    book.update({"a": fragment("c", "accept", k="goto c")})
    first, then = book.update({"a": fragment("d", "drop", k="goto d")}).scripts(TABLE)
    assert first.splitlines() == ["add chain ip t d", f"add rule ip t d {tagged('drop')}"]
    assert then.splitlines() == [
        "delete element ip t m { k }",
        "add element ip t m { k : goto d }",
        "flush chain ip t c",
        "delete chain ip t c",
    ]


def test_all_else_is_one_transaction():
    book = RuleBook()
    assert len(book.update({"a": fragment("c", "accept", k="goto c")}).scripts(TABLE)) == 1
    assert len(book.update({"a": fragment("c", "drop", k="goto c")}).scripts(TABLE)) == 1
    assert book.update({"a": fragment("c", "drop", k="goto c")}).scripts(TABLE) == []
