"""How often garbage is looked for."""

import gc

from hivelet.kit.collector import THRESHOLDS, collect_seldom


def test_it_sets_the_thresholds_of_the_process():
    before = gc.get_threshold()
    try:
        collect_seldom()
        assert gc.get_threshold()[:2] == THRESHOLDS[:2]
    finally:
        gc.set_threshold(*before)
