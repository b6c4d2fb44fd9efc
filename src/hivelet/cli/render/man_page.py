"""A man page out of a click command: name, synopsis, description, options or commands, examples, see also. Pure.

Every text is quoted for roff: a backslash, a hyphen and a dot or quote at the beginning of a line are letters, not requests.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from hivelet import __version__
from hivelet.cli.examples import EXAMPLES

_EXIT = (
    ("0", "All went well."),
    ("1", "The daemon refused, or something failed."),
    ("2", "The command line is wrong."),
    ("130", "Interrupted."),
)


def man_pages(root: click.Command) -> dict[str, str]:
    """Every page by its name, without the section: `hivelet`, `hivelet-service`, `hivelet-service-create`."""
    context = click.Context(root, info_name="hivelet")
    return {
        name: man_page(name, inner, parent) for name, inner, parent in _walk("hivelet", context, "")
    }


def _walk(
    name: str, context: click.Context, parent: str
) -> Iterator[tuple[str, click.Context, str]]:
    yield name, context, parent
    command = context.command
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            if inner is not None and not inner.hidden:
                below = click.Context(inner, info_name=word, parent=context)
                yield from _walk(f"{name}-{word}", below, name)


def man_page(name: str, context: click.Context, parent: str) -> str:
    """One page."""
    command = context.command
    words = name.split("-", 1)[1].replace("-", " ") if parent else ""
    lines = [f'.TH "{name.upper()}" "1" "" "hivelet {__version__}" "hivelet"']
    lines += [".SH NAME", f"{quoted(name)} \\- {quoted(_summary(command))}"]
    usage = " ".join(command.collect_usage_pieces(context))
    lines += [".SH SYNOPSIS", f".B {quoted(context.command_path)}", quoted(usage)]
    lines += [".SH DESCRIPTION", *_paragraphs(command.help or "")]
    lines += list(_options(context))
    if isinstance(command, click.Group):
        lines += _commands(command, context, name)
    examples = EXAMPLES.get(words, ())
    if examples:
        lines += [".SH EXAMPLES", ".nf", *(quoted(line) for line in examples), ".fi"]
    if not parent:
        lines += [".SH EXIT STATUS"]
        lines += [line for code, text in _EXIT for line in (".TP", f".B {code}", quoted(text))]
    if parent:
        lines += [".SH SEE ALSO", f".BR {quoted(parent)} (1)"]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Text that roff takes as it is, on one line."""
    safe = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe[:1] in {".", "'"} else safe


def _summary(command: click.Command) -> str:
    first = (command.help or "").strip().partition("\n")[0].rstrip(".")
    return first or "no description"


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        body = paragraph.strip()
        if body.startswith("\b"):
            plain = [quoted(line) for line in body.splitlines()[1:]]
            lines += [".nf", *plain, ".fi"]
        else:
            lines += [*([".PP"] if lines else []), quoted(body)]
    return lines


def _options(context: click.Context) -> Iterator[str]:
    shown = [
        (names, text)
        for option in context.command.get_params(context)
        if isinstance(option, click.Option) and not option.hidden
        for names, text in [option.get_help_record(context) or ("", "")]
    ]
    if shown:
        yield ".SH OPTIONS"
    for names, text in shown:
        yield from (".TP", f".B {quoted(names)}", quoted(text) or "\\&")


def _commands(group: click.Group, context: click.Context, name: str) -> list[str]:
    lines = [".SH COMMANDS"]
    for word in group.list_commands(context):
        inner = group.get_command(context, word)
        if inner is not None and not inner.hidden:
            lines += [".TP", f".BR {quoted(f'{name}-{word}')} (1)", quoted(_summary(inner))]
    return lines
