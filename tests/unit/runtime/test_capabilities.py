import pytest

from hivelet.errors import InvalidParameter
from hivelet.runtime.capabilities import (
    DEFAULT_CAPABILITIES,
    KNOWN_CAPABILITIES,
    assign_capabilities,
    parse_capability_mask,
)

EVERY = frozenset(KNOWN_CAPABILITIES)
POOR = EVERY - {"CAP_SYS_RESOURCE"}


def assign(add=(), drop=(), *, privileged=False, available=EVERY):
    return assign_capabilities(add=add, drop=drop, privileged=privileged, available=available)


def test_defaults_are_dockers_fourteen():
    assert assign() == DEFAULT_CAPABILITIES
    assert len(DEFAULT_CAPABILITIES) == 14
    assert parse_capability_mask(0xA80425FB) == frozenset(DEFAULT_CAPABILITIES)


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        pytest.param(["NET_ADMIN"], [], {*DEFAULT_CAPABILITIES, "CAP_NET_ADMIN"}, id="added"),
        pytest.param(
            ["cap_net_admin"], [], {*DEFAULT_CAPABILITIES, "CAP_NET_ADMIN"}, id="prefix-and-case"
        ),
        pytest.param([], ["CHOWN"], {*DEFAULT_CAPABILITIES} - {"CAP_CHOWN"}, id="dropped"),
        pytest.param([], ["ALL"], set(), id="all-dropped"),
        pytest.param(["KILL"], ["ALL"], {"CAP_KILL"}, id="all-dropped-but-one"),
        pytest.param(["ALL"], [], EVERY, id="all-added"),
        pytest.param(["ALL"], ["SYS_ADMIN"], EVERY - {"CAP_SYS_ADMIN"}, id="all-but-one"),
        pytest.param(["CHOWN"], ["CHOWN"], {*DEFAULT_CAPABILITIES}, id="added-and-dropped-is-kept"),
    ],
)
def test_rules(add, drop, expected):
    assert assign(add, drop) == tuple(sorted(expected))


def test_privileged_gets_what_the_machine_has():
    assert set(assign(privileged=True, available=POOR)) == POOR
    assert set(assign(["ALL"], available=POOR)) == POOR


def test_a_default_that_the_machine_lacks_is_left_out():
    assert "CAP_MKNOD" not in assign(available=EVERY - {"CAP_MKNOD"})


def test_an_added_one_that_the_machine_lacks_is_refused():
    with pytest.raises(InvalidParameter, match="CAP_SYS_RESOURCE cannot be added"):
        assign(["SYS_RESOURCE"], available=POOR)


def test_an_unknown_one_is_refused():
    with pytest.raises(InvalidParameter, match='unknown capability: "FLY"'):
        assign(["FLY"])
    with pytest.raises(InvalidParameter):
        assign([], ["FLY"])
