"""The image builder's decisions: names, hashes, and the two JSON files of an archive."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "examples/annotation/build-images"


@pytest.fixture(scope="module")
def builder():
    loader = importlib.machinery.SourceFileLoader("build_images", str(SCRIPT))
    spec = importlib.util.spec_from_loader("build_images", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up by name; no bytecode may be left beside the script.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "build_images", module)
        patch.setattr(sys, "dont_write_bytecode", True)
        loader.exec_module(module)
        yield module


@pytest.fixture
def images(builder):
    return {image.tag: image for image in builder.IMAGES}


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("myweb:latest", "myweb_latest.tar"),
        ("rabbitmq:3", "rabbitmq_3.tar"),
        ("team/web:1.0", "team_web_1.0.tar"),
    ],
)
def test_archive_name(builder, tag, name):
    assert builder.archive_name(tag) == name


def test_digest_keeps_parts_apart(builder):
    assert builder.digest_of("ab", "c") != builder.digest_of("a", "bc")
    assert builder.digest_of("a", ["b"]) == builder.digest_of("a", ["b"])


@pytest.mark.parametrize(
    ("debian", "go"), [("amd64", "amd64"), ("arm64", "arm64"), ("armhf", "arm")]
)
def test_go_architecture(builder, debian, go):
    assert builder.go_architecture(debian) == go


def test_config_lists_layers_lowest_first(builder):
    config = builder.image_config(
        {"Cmd": ["serve"]},
        layers=[("Debian", "aa"), ("the app", "bb")],
        architecture="amd64",
        created="2026-01-02T03:04:05Z",
    )
    assert config == {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {"Cmd": ["serve"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:aa", "sha256:bb"]},
        "history": [
            {"created": "2026-01-02T03:04:05Z", "created_by": "Debian"},
            {"created": "2026-01-02T03:04:05Z", "created_by": "the app"},
        ],
    }


def test_manifest_names_config_and_layers(builder):
    assert builder.archive_manifest("myweb:latest", "cc", ["aa", "bb"]) == [
        {
            "Config": "cc.json",
            "RepoTags": ["myweb:latest"],
            "Layers": ["aa/layer.tar", "bb/layer.tar"],
        }
    ]


def test_images_run_what_the_compose_file_expects(images):
    web = images["myweb:latest"].config
    assert web["WorkingDir"] == "/app"
    assert "PYTHONUNBUFFERED=1" in web["Env"]
    rabbit = images["rabbitmq:3"].config
    assert rabbit["Volumes"] == {"/var/lib/rabbitmq": {}}
    assert rabbit["Cmd"] == ["rabbitmq-server"]
    assert "5672/tcp" in rabbit["ExposedPorts"]


def test_bootstrap_takes_security_updates_from_beside_the_mirror(builder, images):
    command = builder.bootstrap_command(
        images["myweb:latest"], suite="bookworm", mirror="http://here/debian", proxies=()
    )
    assert command[-5:] == [
        "bookworm",
        "{target}",
        "deb http://here/debian bookworm main",
        "deb http://here/debian bookworm-updates main",
        "deb http://here/debian-security bookworm-security main",
    ]


def test_bootstrap_passes_proxies_on(builder, images):
    command = builder.bootstrap_command(
        images["rabbitmq:3"],
        suite="bookworm",
        mirror="http://here/debian",
        proxies=['Acquire::http::Proxy "http://proxy:3142";'],
    )
    assert '--aptopt=Acquire::http::Proxy "http://proxy:3142";' in command


def test_fingerprint_sees_content_mode_and_nothing_compiled(builder, tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    source = tmp_path / "a.py"
    source.write_text("1")
    before = builder.fingerprint(tmp_path)
    assert [name for name, _, _ in before] == ["a.py"]

    source.chmod(0o755)
    executable = builder.fingerprint(tmp_path)
    source.write_text("2")
    changed = builder.fingerprint(tmp_path)
    assert before != executable != changed != before


def test_every_file_named_for_an_image_exists(images):
    for image in images.values():
        for start in image.files:
            assert (SCRIPT.parent / image.folder / start).exists()
