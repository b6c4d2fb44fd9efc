"""Limits that a machine does not have are refused, in Docker's words."""

import pytest

from hivelet.engine.create import check_limits
from hivelet.errors import InvalidParameter
from hivelet.objects.container import HostConfig


def test_no_more_processors_than_there_are():
    check_limits(HostConfig(nano_cpus=2 * 10**9), 2)
    with pytest.raises(
        InvalidParameter,
        match=r"^Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available$",
    ):
        check_limits(HostConfig(nano_cpus=2 * 10**9 + 1), 2)
