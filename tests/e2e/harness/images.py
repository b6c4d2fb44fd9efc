"""Root file systems for tests: busybox with a web server that says which replica answered and who asked.

Two images are made from one tar each by the engine's own `import`, as `bb:latest` (nothing set) and `web:latest` (the
server is its command, on port 8000).
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
PORT = 8000

WHOAMI = """#!/bin/sh
read name </etc/hostname
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s\\n' "$name" "$REMOTE_ADDR"
"""
SLOW = """#!/bin/sh
read name </etc/hostname
sleep "${QUERY_STRING:-1}"
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s\\n' "$name" "$REMOTE_ADDR"
"""
# Process 1 gets no default action for SIGTERM, so the shell catches it; requests in hand are given time to end.
SERVE = f"""#!/bin/sh
trap 'exit 0' TERM INT
httpd -f -p {PORT} -h /www &
wait
"""
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"

FILES: dict[str, tuple[str, int]] = {
    "etc/passwd": (PASSWD, 0o644),
    "etc/group": ("root:x:0:\nnogroup:x:65534:\n", 0o644),
    "www/index.html": ("busybox\n", 0o644),
    "www/cgi-bin/whoami": (WHOAMI, 0o755),
    "www/cgi-bin/slow": (SLOW, 0o755),
    "bin/serve": (SERVE, 0o755),
}


def busybox_tar(path: Path) -> Path:
    """Write the root file system; the same bytes every time."""
    binary = Path(shutil.which("busybox") or BUSYBOX)
    applets = subprocess.run(
        [binary, "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    with tarfile.open(path, "w") as tar:
        for folder in ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "www", "www/cgi-bin"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for name, data, mode in (
            ("bin/busybox", binary.read_bytes(), 0o755),
            *((name, text.encode(), mode) for name, (text, mode) in FILES.items()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
    return path


def import_busybox(cli: Callable[..., object], folder: Path) -> None:
    """`docker import` both images with whatever command line is given."""
    tar = busybox_tar(folder / "busybox.tar")
    cli("import", str(tar), "bb:latest")
    changes = ("--change", 'CMD ["/bin/serve"]', "--change", f"EXPOSE {PORT}")
    cli("import", *changes, str(tar), "web:latest")
