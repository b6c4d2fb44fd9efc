"""What a worker says about a text: which script and likely language, how many words and characters.

Pure: no Django, no Celery. Rule: the script of most words names the label (a word's is that of its first letter);
a Latin text is given the language whose commonest words it holds most of, and stays "latin" on a tie or without any.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

_COMMON_WORDS = {
    "english": frozenset("the and of to in is it that for with was are this not you".split()),
    "german": frozenset("der die das und ist nicht ein eine mit zu den von für auf ich".split()),
    "french": frozenset("le la les et est une des pour dans que pas avec sur du je".split()),
    "spanish": frozenset("el los las y es una para que con por no del en lo se".split()),
}
# The first word of a letter's Unicode name, where it differs from the label.
_SCRIPTS = {"CJK": "chinese", "HIRAGANA": "japanese", "KATAKANA": "japanese", "HANGUL": "korean"}
# Written without spaces: there, every letter counts as a word.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Annotation:
    """The result of labelling one text."""

    label: str
    words: int
    characters: int


def annotate(text: str) -> Annotation:
    """Label `text`; a text without a word that begins with a letter is "none"."""
    words = _UNSPACED.findall(text)
    return Annotation(label=_label(words), words=len(words), characters=len(text))


def _label(words: list[str]) -> str:
    scripts = Counter(_script(word[0]) for word in words if word[0].isalpha())
    if not scripts:
        return "none"
    if scripts["japanese"]:  # kana beside any number of Chinese characters is Japanese
        return "japanese"
    script = max(scripts, key=lambda name: (scripts[name], name))
    return _language(words) if script == "latin" else script


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "UNKNOWN").split(maxsplit=1)[0]
    return _SCRIPTS.get(name, name.lower())


def _language(words: list[str]) -> str:
    lowered = [word.lower() for word in words]
    hits = {
        language: sum(word in common for word in lowered)
        for language, common in _COMMON_WORDS.items()
    }
    best = max(hits.values())
    winners = [language for language, count in hits.items() if count == best]
    return winners[0] if best and len(winners) == 1 else "latin"
