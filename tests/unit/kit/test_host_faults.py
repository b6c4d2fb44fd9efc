"""What the machine refuses, in words."""

import errno
import os

import pytest

from hivelet.kit.host_faults import HostFault, describe_fault, host_faults


def test_the_sentence_names_the_file_the_fault_and_the_way_out():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/lib/x")
    assert describe_fault(error).startswith("/var/lib/x: no space left on device; make space")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EAGAIN])
def test_faults_of_the_host_are_told(number):
    with pytest.raises(HostFault, match="it can't be made: "), host_faults("it can't be made"):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "no"), TimeoutError(), BrokenPipeError(32, "no")]
)
def test_other_errors_pass_as_they_are(error):
    with pytest.raises(type(error)), host_faults():
        raise error
