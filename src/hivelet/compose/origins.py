"""Where each part of a stack comes from: several files, files that they include, services that they extend. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from hivelet.compose.document import Document, Path, Problem


@dataclass(frozen=True, slots=True)
class _Source:
    """A file whose part at `below` is the stack's part at `at`."""

    document: Document
    at: Path
    below: Path


@dataclass(slots=True)
class Origins:
    """The files of a stack in the order in which they were laid over each other."""

    _files: list[_Source] = field(default_factory=list)
    _bases: list[_Source] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """A file that is laid over those before it."""
        self._files.append(_Source(document, (), ()))

    def add_base(self, document: Document, at: Path, below: Path) -> None:
        """The part of the stack at `at` extends what `document` has at `below`."""
        self._bases.append(_Source(document, at, below))

    def describe(self, problem: Problem) -> str:
        """One line for a problem of the stack, with the place in the file that says most of it; the last of several."""
        best, depth = self._files[0], -1
        for source in [*self._bases, *self._files]:
            if problem.path[: len(source.at)] != source.at:
                continue
            path = source.below + problem.path[len(source.at) :]
            reached = _reached(source.document, path) - len(source.below) + len(source.at)
            if reached >= depth:
                best, depth = source, reached
        path = best.below + problem.path[len(best.at) :]
        return best.document.describe(
            Problem(path=path, message=problem.message, hint=problem.hint)
        )


def _reached(document: Document, path: Path) -> int:
    """How many steps of `path` the file has."""
    node = document.root
    for count, step in enumerate(path):
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, list) and any(item.value == step for item in node.value):
            return count + 1
        else:
            return count
    return len(path)
