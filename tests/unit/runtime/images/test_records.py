from datetime import UTC, datetime

import msgspec
import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerConfig
from hivelet.runtime.images.descriptions import build_description, build_history
from hivelet.runtime.images.platforms import Platform, parse_machine, parse_platform
from hivelet.runtime.images.records import (
    EPOCH,
    HistoryEntry,
    build_image,
    chain_ids,
    parse_image,
    parse_time,
)

LAYER = f"sha256:{'1' * 64}"


def raw(**changes):
    data = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-05-01T10:00:00.123456789Z",
        "config": {
            "Env": None,
            "Cmd": ["a"],
            "Entrypoint": "run",
            "ExposedPorts": {"80/tcp": None},
            "Volumes": None,
            "Labels": None,
            "ArgsEscaped": True,
            "Healthcheck": {"Test": ["NONE"], "Interval": None},
        },
        "rootfs": {"type": "layers", "diff_ids": [LAYER]},
        "history": [
            {"created": "2024-05-01T09:00:00Z", "created_by": "ADD"},
            {"created_by": "CMD", "empty_layer": True, "comment": "c"},
        ],
    }
    return msgspec.json.encode(data | changes)


def test_gos_nulls_are_read():
    image = parse_image(raw())
    assert image.config.cmd == ["a"]
    assert image.config.entrypoint == ["run"]
    assert image.config.exposed_ports == {"80/tcp": {}}
    assert image.config.env == []
    assert image.diff_ids == (LAYER,)
    assert image.created_at == datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not valid"),
        (b"[]", "not valid"),
        (raw(rootfs={"diff_ids": ["sha256:12"]}), "digest length"),
        (raw(rootfs={"diff_ids": ["../../etc"]}), "not a digest"),
        (raw(os="windows"), "cannot load windows image on linux"),
        (raw(config={"Env": "x"}), "not valid"),
        (raw(config=[1]), "not valid"),
        (raw(history=7), "not valid"),
        (raw(author=["x"]), "not valid"),
    ],
)
def test_what_is_no_config_is_refused(data, message):
    with pytest.raises(InvalidParameter, match=message):
        parse_image(data)


def test_a_new_image_reads_back():
    config = ContainerConfig(env=["A=1"], cmd=["x"], labels={"k": "v"})
    data = build_image(
        config,
        [LAYER],
        [HistoryEntry(created="2024-05-01T10:00:00Z", comment="Imported from -")],
        created=datetime(2024, 5, 1, 10, tzinfo=UTC),
        platform=("linux", "arm64", "v8"),
    )
    image = parse_image(data)
    assert image.config == config
    assert (image.architecture, image.variant) == ("arm64", "v8")
    assert image.created_at == datetime(2024, 5, 1, 10, tzinfo=UTC)


def test_history_is_told_newest_first():
    steps = build_history(parse_image(raw()))
    assert [step.created_by for step in steps] == ["CMD", "ADD"]
    assert steps[0].id.startswith("sha256:")
    assert steps[1].id == "<missing>"


def test_the_description_has_the_layers_top_last():
    described = build_description(parse_image(raw()), paths=["/l/1", "/l/2", "/l/3"])
    assert described.directories == {"UpperDir": "/l/3", "LowerDir": "/l/2:/l/1"}


def test_chain_ids_are_the_specifications():
    # The example of the OCI image specification: ChainID(A|B) = Digest(ChainID(A) + " " + DiffID(B)).
    assert chain_ids([LAYER]) == [LAYER]
    assert chain_ids([LAYER, LAYER])[1].startswith("sha256:")
    assert chain_ids([]) == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T12:00:00.5+02:00", datetime(2024, 5, 1, 10, 0, 0, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("yesterday", EPOCH),
        ("2024-13-01T10:00:00Z", EPOCH),
        ("", EPOCH),
    ],
)
def test_times_are_read_or_the_epoch(text, moment):
    assert parse_time(text) == moment


def test_machines_are_gos_platforms():
    assert str(parse_machine("x86_64")) == "linux/amd64"
    assert str(parse_machine("aarch64")) == "linux/arm64/v8"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("", "linux/amd64"),
        ("linux", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/x86_64", "linux/amd64"),
    ],
)
def test_platforms_are_read(text, platform):
    assert str(parse_platform(text, Platform(architecture="amd64"))) == platform


@pytest.mark.parametrize("text", ["a/b/c/d", "windows/amd64", "linux/", "linux/a b"])
def test_other_platforms_are_refused(text):
    with pytest.raises(InvalidParameter):
        parse_platform(text, Platform(architecture="amd64"))
