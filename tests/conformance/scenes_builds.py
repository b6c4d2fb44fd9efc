"""What is asked of the classic builder, and what it says line by line."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import Any
from urllib.parse import quote

from session import Session, busybox

MANY = """\
ARG BASE=bb
FROM $BASE AS one
ARG WORD=none
RUN echo made $WORD
ENV A=b C="d e"
FROM one AS two
COPY file /file
COPY --from=one /bin/sh /copied
ADD file /added
LABEL kind=made
EXPOSE 80/tcp
HEALTHCHECK --interval=7s --retries=2 CMD echo a
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-ec"]
ONBUILD RUN echo triggered
USER 7:8
VOLUME /data
WORKDIR /work
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "cat /file"]
"""

CASES: dict[str, tuple[str, str]] = {
    "many": (
        MANY,
        "t=many:1&t=many:2&buildargs=" + quote('{"WORD":"word"}') + "&labels=" + quote('{"l":"1"}'),
    ),
    "target": (MANY, "t=target&target=one"),
    "triggers": ("FROM many:1\n", "t=triggers"),
    "continued": (
        "# a comment\n\nFROM bb\nRUN echo a && \\\n # between\n  echo b\n",
        "t=continued",
    ),
    "escape": ("# escape=`\nFROM bb\nRUN echo a `\n  b\n", ""),
    "quiet": ("FROM bb\nRUN echo a\n", "q=1"),
    "failing": ("FROM bb\nRUN echo before; exit 7\n", ""),
    "failing-exec": ('FROM bb\nRUN ["/bin/false"]\n', ""),
    "no-file": ("FROM bb\nCOPY nothing /\n", ""),
    "empty": ("", ""),
    "comments": ("# nothing\n", ""),
    "unknown": ("FROM bb\nRUNN x\n", ""),
    "no-from": ("RUN x\n", ""),
    "bad-from": ("FROM a b\n", ""),
    "blank-from": ("FROM $NOTHING\n", ""),
    "no-argument": ("FROM bb\nCOPY\n", ""),
    "no-target": ("FROM bb\n", "target=nope"),
    "bad-tag": ("FROM bb\n", "t=UPPER"),
    "bad-args": ("FROM bb\n", "buildargs=x"),
    "bad-labels": ("FROM bb\n", "labels=x"),
    "squash": ("FROM bb\n", "squash=1"),
    "no-dockerfile": ("FROM bb\n", "dockerfile=nope"),
    "outside": ("FROM bb\n", "dockerfile=../x"),
}


def context(dockerfile: str) -> bytes:
    """A context of a Dockerfile and a file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in (("Dockerfile", dockerfile), ("file", "content\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def builds(s: Session) -> None:
    """Each case, and what has become of the images."""
    r = s.r
    r.ask("POST", "/images/create?fromSrc=-&repo=bb&tag=latest", busybox())
    for name, (dockerfile, query) in CASES.items():
        r.record(name, "POST", f"/build?{query}", context(dockerfile))
    for image in ("many:1", "target"):
        r.record(f"inspect-{image}", "GET", f"/images/{image}/json")
    r.record("history", "GET", "/images/many:1/history")
    r.record("not-a-tar", "POST", "/build", b"this is no tar" * 100)
    r.record("prune", "POST", "/build/prune?all=1")
    r.record("prune-bad", "POST", "/build/prune?filters=x")
    r.save("builds")


def told(answer: Any) -> list[str]:
    """What a build says, without ids, and without what belongs to containers that only Docker's builder makes."""
    lines = answer if isinstance(answer, list) else [answer]
    text = "".join(line.get("stream", "") for line in lines)
    text = re.sub(r"\x1b\[\d*m", "", text)
    text = re.sub(r" ---> Running in \w+\n|Removing intermediate container \w+\n", "", text)
    text = re.sub(r" ---> [0-9a-f<][\w<>-]*\n", " ---> ID\n", text)
    text = re.sub(r"(sha256:|built )[\w<>-]+", r"\1ID", text)
    errors = [
        json.dumps(line, sort_keys=True) for line in lines if "error" in line or "message" in line
    ]
    return [*text.splitlines(), *errors]
