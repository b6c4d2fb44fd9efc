"""Splitting a command string into words, as the docker CLI does it. Pure.

Note the difference to `shlex` of the standard library: a `#` begins a comment only at the beginning of a word.
"""

from __future__ import annotations

_BLANKS = " \t\r\n"


def split_words(text: str) -> list[str]:
    """The words of `text`: blanks separate, quotes group, a backslash takes the next character as it is.

    Raises:
        ValueError: a quote is not closed, or the text ends with a backslash.
    """
    words: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position] in _BLANKS:
            position += 1
        if position == len(text):
            return words
        if text[position] == "#":
            newline = text.find("\n", position)
            position = len(text) if newline < 0 else newline
            continue
        word, position = _read_word(text, position)
        words.append(word)


def _read_word(text: str, position: int) -> tuple[str, int]:
    word: list[str] = []
    while position < len(text) and text[position] not in _BLANKS:
        character = text[position]
        if character in "\"'":
            piece, position = _read_quoted(text, position)
            word.append(piece)
        elif character == "\\":
            if position + 1 == len(text):
                raise ValueError(f"the command ends with a backslash: {text}")
            word.append(text[position + 1])
            position += 2
        else:
            word.append(character)
            position += 1
    return "".join(word), position


def _read_quoted(text: str, position: int) -> tuple[str, int]:
    quote, start = text[position], position
    piece: list[str] = []
    position += 1
    while position < len(text):
        character = text[position]
        if character == quote:
            return "".join(piece), position + 1
        if character == "\\" and quote == '"' and position + 1 < len(text):
            position += 1
            character = text[position]
        piece.append(character)
        position += 1
    raise ValueError(f"the quote that opens at character {start + 1} is never closed: {text}")
