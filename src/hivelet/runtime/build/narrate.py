"""What buildah prints, told in the words of Docker's classic builder. Pure.

buildah's own lines and those of the commands that a build runs come through one pipe, so that they keep their order. A line
counts as buildah's only where it is the one to come next: a command that prints `STEP 1/2: …` changes nothing. However much is
printed, only a bounded part of it is held back.
"""

from __future__ import annotations

import codecs
import re

from hivelet.runtime.build.plan import SCRATCH, BuildPlan

_STEP = re.compile(r"(?:\[(\d{1,6})/\d+\] )?STEP (\d{1,6})/(\d{1,6}): (.*)")
_MADE = re.compile(r"--> ([0-9a-f]{8,64})")
_CACHED = re.compile(r"--> Using cache ([0-9a-f]{64})")
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"(?:\[\d+/\d+\] )?COMMIT(?: .*)?")
_WARNING = re.compile(r'time="[^"]*" level=(?:warning|warn) msg="((?:[^"\\]|\\.)*)"')
_OURS = ("STEP ", "[", "--> ", "COMMIT", "Error: ", 'time="')
_HEX = re.compile(r"[0-9a-f]+")
_SHORT = 12
_LINE_LIMIT = 8192
_HELD_LIMIT = 1 << 18


class Narrator:
    """Reads what buildah prints, piece by piece; `bases` has the ids of the images that the plan needs."""

    def __init__(self, plan: BuildPlan, bases: dict[str, str]) -> None:
        self._plan = plan
        self._bases = bases
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._mid_line = False
        self._held: list[str] = []
        self._held_size = 0
        self._told = 0
        self._total = plan.total
        self._last_stage = max(plan.needed)
        self._at = (-1, 0)
        self._last = ""
        self._base = ""
        self.identity = ""
        """The id of the image: what is printed last."""
        self._committing = False

    def feed(self, data: bytes) -> list[str]:
        """What the next bytes mean, as pieces of the answer's stream."""
        self._pending += self._decoder.decode(data)
        out: list[str] = []
        *lines, self._pending = self._pending.split("\n")
        for line in lines:
            out += [f"{line}\n"] if self._mid_line else self._told_after_base(line)
            self._mid_line = False
        if self._pending and (self._mid_line or not self._may_be_ours()):
            out += [*self._base_line(), *self._let_go(), self._pending]
            self._pending, self._mid_line = "", True
        return out

    def end(self, *, failed: bool) -> list[str]:
        """The rest; of a build that failed, without the error itself."""
        out = self._told_after_base(self._pending) if self._pending else []
        self._pending = ""
        out += self._base_line()
        if not failed and self._held and _IDENTITY.fullmatch(self._held[-1]):
            self.identity = self._held.pop()
        return out + ([] if failed or self._committing else self._let_go())

    @property
    def error(self) -> str:
        """The error that was printed last."""
        return "\n".join(self._held).removeprefix("Error: ").strip()

    @property
    def step(self) -> tuple[int, int]:
        """The stage and the step in it that were begun last; triggers of the base belong to its `FROM`."""
        return self._at

    def _told_after_base(self, line: str) -> list[str]:
        """A line, and before it the id of the base, which is only told where the base brings no triggers."""
        base, self._base = self._base_line(), ""
        told = self._line(line)
        return told if told and told[0].startswith("# Executing ") else base + told

    def _base_line(self) -> list[str]:
        base, self._base = self._base, ""
        return [base] if base else []

    def _line(self, line: str) -> list[str]:
        if self._committing:
            # How the image is written is of no interest, unless it fails.
            if (found := _MADE.fullmatch(line)) is not None:
                return self._made(found[1][:_SHORT])
            self._hold(line)
            return []
        if (found := _STEP.fullmatch(line)) and (begun := self._begin(found)) is not None:
            return self._let_go() + begun
        if (found := _CACHED.fullmatch(line)) is not None:
            self._last = found[1][:_SHORT]
            return [*self._let_go(), " ---> Using cache\n", f" ---> {self._last}\n"]
        if (found := _MADE.fullmatch(line)) is not None:
            return self._made(found[1][:_SHORT])
        if self._is_last() and _COMMIT.fullmatch(line):
            self._committing = True
            return self._let_go()
        if (found := _WARNING.fullmatch(line)) is not None:
            return [" ---> [Warning] {}\n".format(found[1].replace('\\"', '"'))]
        return self._hold(line)

    def _made(self, short: str) -> list[str]:
        if self._last.startswith(short):
            return []
        self._last = short
        return [*self._let_go(), f" ---> {short}\n"]

    def _hold(self, line: str) -> list[str]:
        """An error or an id is told as one, if nothing comes after it; until then it may be what a command prints."""
        begins = line.startswith("Error: ") or _IDENTITY.fullmatch(line) is not None
        if not begins and not self._held:
            return [f"{line}\n"]
        out = self._let_go() if begins or self._held_size > _HELD_LIMIT else []
        self._held.append(line)
        self._held_size += len(line)
        return out

    def _let_go(self) -> list[str]:
        held, self._held, self._held_size = self._held, [], 0
        return [f"{line}\n" for line in held]

    def _begin(self, found: re.Match[str]) -> list[str] | None:
        stage = int(found[1]) - 1 if found[1] else self._last_stage
        number, count = int(found[2]), int(found[3])
        if stage not in self._plan.needed:
            return None
        steps = self._plan.stages[stage].steps
        triggers = max(0, count - len(steps))
        if 1 < number <= triggers + 1:
            plural = "s" if triggers > 1 else ""
            return [f"# Executing {triggers} build trigger{plural}\n"] if number == 2 else []
        step = 0 if number == 1 else number - 1 - triggers
        if step >= len(steps) or (stage == self._at[0] and step <= self._at[1]):
            return None
        first = [] if self._told else [self._tell(a.text) for a in self._plan.arguments]
        self._at = (stage, step)
        if step == 0:
            self._base = self._from(stage, found[4])
        return [*first, self._tell(steps[step].text)]

    def _from(self, stage: int, said: str) -> str:
        base = self._plan.stages[stage].base
        if base.lower() == SCRATCH:
            return " ---> \n"
        words = said.split()
        built = words[1] if len(words) > 1 and re.fullmatch("[0-9a-f]{64}", words[1]) else ""
        identity = self._bases.get(base, "").removeprefix("sha256:") or built
        self._last = identity[:_SHORT]
        return f" ---> {identity[:_SHORT]}\n"

    def _tell(self, text: str) -> str:
        self._told += 1
        return f"Step {self._told}/{self._total} : {text}\n"

    def _is_last(self) -> bool:
        stage, step = self._at
        last = self._last_stage
        return stage == last and step == len(self._plan.stages[last].steps) - 1

    def _may_be_ours(self) -> bool:
        if len(self._pending) > _LINE_LIMIT:
            return False
        if self._held or self._committing or _HEX.fullmatch(self._pending):
            return True
        return any(
            mark.startswith(self._pending) or self._pending.startswith(mark) for mark in _OURS
        )
