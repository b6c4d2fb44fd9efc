from __future__ import annotations

import pytest

from hivelet.network import sysctls
from hivelet.network.neighbours import NEIGHBOUR_TABLES


@pytest.fixture
def switches(tmp_path, monkeypatch):
    monkeypatch.setattr(sysctls, "ROOT", tmp_path)

    def make(table, *values):
        for number, value in enumerate(values, 1):
            path = tmp_path / table / f"gc_thresh{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")

    def read(table):
        return [int((tmp_path / table / f"gc_thresh{n}").read_text()) for n in (1, 2, 3)]

    make.read = read
    return make


def test_few_neighbours_become_more_and_many_stay(switches):
    ipv4, ipv6 = NEIGHBOUR_TABLES
    switches(ipv4, 128, 512, 1024)
    switches(ipv6, 80000, 90000, 100000)
    changed = sysctls.raise_neighbours()
    assert changed == [f"{ipv4}/gc_thresh{n}" for n in (3, 2, 1)]
    assert switches.read(ipv4) == [8192, 32768, 65536]
    assert switches.read(ipv6) == [80000, 90000, 100000]
    assert sysctls.raise_neighbours() == []


def test_a_namespace_without_these_switches_is_left_alone(switches):
    assert sysctls.raise_neighbours() == []
