"""Opens a path that must lie beneath a directory, whatever symbolic links a stranger puts there meanwhile.

Unlike `hivelet.runtime.images.inroot`, which follows links as a process within that root would see them, a link (or a `..`)
that leads out is an error here: the kernel itself resolves the path (openat2), so there is no moment between a look and
a use.
"""

from __future__ import annotations

import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)
_OPENAT2 = 437
"""Its number on every architecture that Debian has."""
_RESOLVE_NO_MAGICLINKS, _RESOLVE_BENEATH = 0x02, 0x08
_ATTEMPTS = 100


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_beneath(root: str | os.PathLike[str], path: str) -> int:
    """A descriptor (O_PATH) of `path` beneath `root`, be it a directory or a file; the caller closes it.

    Raises:
        OSError: as open(2); EXDEV where the path leads out of `root`.
    """
    how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            found = _libc.syscall(
                ctypes.c_long(_OPENAT2),
                ctypes.c_int(base),
                os.fsencode(path),
                ctypes.byref(how),
                ctypes.c_size_t(ctypes.sizeof(how)),
            )
            if found >= 0:
                return int(found)
            number = ctypes.get_errno()
            if number != errno.EAGAIN:  # somebody renames things while the kernel follows a `..`
                break
    finally:
        os.close(base)
    raise OSError(number, os.strerror(number), path)
