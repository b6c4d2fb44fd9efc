"""Keys by rank."""

from hypothesis import given
from hypothesis import strategies as st

from hivelet.kit.ranked import Ranked


def test_keys_go_by_rank_and_then_by_themselves():
    ranked = Ranked()
    for key, rank in (("b", 1), ("c", 0), ("a", 1)):
        ranked.put(key, rank)
    assert list(ranked) == ["c", "a", "b"]
    ranked.put("c", 2)
    ranked.drop("b")
    ranked.drop("never there")
    assert list(ranked) == ["a", "c"]
    assert (len(ranked), ranked.highest()) == (2, 2)


def test_nothing_is_highest_or_after_anything_where_there_is_nothing():
    assert Ranked().highest() is None
    assert Ranked().after(0) == (0, None)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 5)), max_size=30),
    st.integers(0, 5),
)
def test_it_is_what_sorting_would_give(changes, limit):
    ranked, plain = Ranked(), {}
    for key, rank in changes:
        if rank is None:
            ranked.drop(key)
            plain.pop(key, None)
        else:
            ranked.put(key, rank)
            plain[key] = rank
    assert list(ranked) == sorted(plain, key=lambda key: (plain[key], key))
    higher = sorted(rank for rank in plain.values() if rank > limit)
    assert ranked.after(limit) == (len(higher), higher[0] if higher else None)
    assert ranked.highest() == max(plain.values(), default=None)
