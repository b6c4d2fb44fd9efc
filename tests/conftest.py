"""What holds for all tests."""

from __future__ import annotations

import hypothesis
import pytest

# How long an example takes says how busy the machine is; pytest-timeout ends what hangs.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests may take long come first: workers take whole files, and the last one should not be the longest."""
    patience: dict[str, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        allowed = float(mark.args[0]) if mark else 0.0
        file = str(item.path)
        patience[file] = max(patience.get(file, 0.0), allowed)
    items.sort(key=lambda item: -patience[str(item.path)])
