"""The tables of keys against the Compose Specification's, and the fates of keys against what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hivelet.compose import model
from hivelet.compose.grammar import Fields, Key, ListOf, MapOf, OneOf, Rule
from hivelet.compose.grammar_service import SERVICE
from hivelet.compose.grammar_tables import FILE
from hivelet.compose.host import host_settings
from hivelet.objects.container import HostSettings

HERE = Path(__file__).parent


def recorded() -> dict[str, set[str]]:
    sections: dict[str, set[str]] = {}
    for line in (HERE / "specification_keys.txt").read_text().splitlines():
        if not line.startswith("#"):
            section, _, keys = line.partition(":")
            sections.setdefault(section.strip(), set()).update(keys.split())
    return sections


def fields_in(rule: Rule) -> Iterator[Fields]:
    match rule:
        case Fields():
            yield rule
        case ListOf():
            yield from fields_in(rule.item)
        case MapOf():
            yield from fields_in(rule.value)
        case OneOf():
            for form in rule.forms:
                yield from fields_in(form)


def section(path: str) -> Fields:
    found = FILE
    for step in path.split(".") if path else []:
        (found,) = fields_in(found.keys[step].rule)
    return found


@pytest.mark.parametrize("path", recorded(), ids=lambda path: path or "file")
def test_no_key_of_the_specification_is_missing(path: str) -> None:
    assert recorded()[path] - set(section(path).keys) == set()


OURS = {
    "services": {"cgroupns_mode", "volume_driver"},  # compose 3, and compose 2
    "services.volumes": {"cluster"},  # compose 3.12
    "secrets": {"content"},  # as configs have it
    # One rule for all three hooks.
    "services.post_start": {"image", "per_replica"},
    "services.pre_stop": {"image", "per_replica"},
    "services.develop.watch.exec": {"image", "per_replica"},
}


@pytest.mark.parametrize("path", recorded(), ids=lambda path: path or "file")
def test_no_key_is_of_our_own_making(path: str) -> None:
    assert set(section(path).keys) - recorded()[path] == OURS.get(path, set())


def every_key(fields: Fields, path: str = "") -> Iterator[tuple[str, Key]]:
    for name, key in fields.keys.items():
        place = f"{path}.{name}" if path else name
        yield place, key
        for inner in fields_in(key.rule):
            yield from every_key(inner, place)


def test_every_key_without_its_effect_says_why() -> None:
    silent = [
        place
        for place, key in every_key(FILE)
        if key.fate in {"differs", "kept", "ignored", "refused"} and not key.note
    ]
    assert silent == []


def test_what_is_honoured_reaches_the_model() -> None:
    """A key that is said to be honoured and that no field of the model takes would be dropped in silence."""
    gone = {"extends", "label_file"}  # worked in before
    taken = set(model.ServiceFile.__struct_fields__)
    honoured = {
        name for name, key in SERVICE.keys.items() if key.fate not in {"ignored", "refused"}
    }
    assert honoured - taken == gone


def test_the_model_carries_every_key_of_a_build() -> None:
    assert set(model.Build.__struct_fields__) == recorded()["services.build"]


def test_every_host_setting_can_be_asked_for() -> None:
    asked = host_settings(model.ServiceFile())
    assert set(asked) == set(HostSettings.__struct_fields__)
    defaults = {field.name: field.default for field in msgspec.structs.fields(HostSettings)}
    assert HostSettings(**asked) == HostSettings()
    assert defaults.keys() == asked.keys()
