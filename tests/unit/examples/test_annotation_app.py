"""The parts of the reference application that need neither Django nor Celery."""

import importlib
import sys
from pathlib import Path

import pytest

APP = Path(__file__).parents[3] / "examples/annotation/app"


@pytest.fixture(scope="module")
def annotation():
    """The app's pure modules, as a name space."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(APP))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield {
            name: importlib.import_module(f"annotation.{name}") for name in ("labels", "parameters")
        }
        for name in [name for name in sys.modules if name.partition(".")[0] == "annotation"]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "label", "words", "characters"),
    [
        ("", "none", 0, 0),
        ("123 !", "none", 1, 5),
        ("the cat is in the house", "english", 6, 23),
        ("Das ist nicht der Hund", "german", 5, 22),
        ("le chat est dans la maison", "french", 6, 26),
        ("el perro que no es una casa", "spanish", 7, 27),
        ("zzz", "latin", 1, 3),
        ("用容器", "chinese", 3, 3),
        ("用 Docker 实现", "chinese", 4, 11),
        ("コンテナを使う", "japanese", 7, 7),
        ("Привет мир", "cyrillic", 2, 10),
        ("안녕하세요", "korean", 1, 5),
    ],
)
def test_annotate(annotation, text, label, words, characters):
    found = annotation["labels"].annotate(text)
    assert (found.label, found.words, found.characters) == (label, words, characters)


@pytest.mark.parametrize(
    ("query", "seconds"),
    [({}, 0.1), ({"seconds": "0"}, 0), ({"seconds": "2.5"}, 2.5), ({"seconds": "10"}, 10)],
)
def test_seconds(annotation, query, seconds):
    assert annotation["parameters"].parse_seconds(query, default=0.1, limit=10) == seconds


@pytest.mark.parametrize("raw", ["", "abc", "-1", "10.1", "nan", "inf", "1e999"])
def test_bad_seconds(annotation, raw):
    parameters = annotation["parameters"]
    with pytest.raises(parameters.BadParameter, match="is not a number from 0 to 10"):
        parameters.parse_seconds({"seconds": raw}, default=0.1, limit=10)


def test_text(annotation):
    assert annotation["parameters"].parse_text({"text": " a "}) == " a "


@pytest.mark.parametrize("query", [{}, {"text": ""}, {"text": "  "}, {"text": "x" * 10_001}])
def test_bad_text(annotation, query):
    parameters = annotation["parameters"]
    with pytest.raises(parameters.BadParameter, match="text"):
        parameters.parse_text(query)
