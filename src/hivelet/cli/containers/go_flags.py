"""Boolean options as Go's programs have them: `--init=false` beside `--init`. Pure but for what click is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import click

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class GoFlags(click.Command):
    """A command whose flags may be given a value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, after every `--flag=VALUE` has been put in click's form."""
        options = [param for param in self.params if isinstance(param, click.Option)]
        return super().parse_args(
            ctx, list(in_clicks_form(args, options, to_the_end=ctx.allow_interspersed_args))
        )


def in_clicks_form(
    args: Sequence[str], options: Sequence[click.Option], *, to_the_end: bool
) -> Iterator[str]:
    """The words with `--flag=true` as `--flag`, `--flag=false` as `--no-flag` or nothing.

    Words behind the first that is no option are a container's command, unless options may stand `to_the_end`.
    """
    by_name = {
        name: option for option in options for name in (*option.opts, *option.secondary_opts)
    }
    rest = iter(args)
    for word in rest:
        if word == "--" or (not to_the_end and not _is_option(word)):
            yield word
            yield from rest
            return
        yield from _translated(word, by_name)
        if _is_option(word) and _takes_next(word, by_name):
            yield from islice(rest, 1)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _translated(word: str, by_name: Mapping[str, click.Option]) -> Iterator[str]:
    name, equals, value = word.partition("=")
    option = by_name.get(name)
    if not equals or option is None or not option.is_flag or value not in _TRUE | _FALSE:
        yield word
    elif value in _TRUE:
        yield name
    elif option.secondary_opts:
        yield max(option.secondary_opts, key=len)


def _takes_next(word: str, by_name: Mapping[str, click.Option]) -> bool:
    """Whether the word after this one is its value."""
    if word.startswith("--"):
        option = by_name.get(word)
        return option is not None and not option.is_flag
    for place, letter in enumerate(word[1:], start=2):
        option = by_name.get(f"-{letter}")
        if option is not None and not option.is_flag:
            return place == len(word)
    return False
