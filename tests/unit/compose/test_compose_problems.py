"""Every complaint of the loader, whole: file, line, column, what is wrong, the way out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hivelet.compose.document import ComposeError
from hivelet.compose.load import LoadedStack, LoadOptions, load_stack
from hivelet.compose.selection import choose_files

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from complaints import NO_DEFAULT, PROBLEMS, SEVERAL, WARNINGS, Several, service  # noqa: E402


def load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, **environment: str
) -> LoadedStack:
    monkeypatch.chdir(tmp_path)
    Path("f.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_stack(["f.yml"], environment)


@pytest.mark.parametrize("name", PROBLEMS)
def test_complaint(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, message = PROBLEMS[name]
    with pytest.raises(ComposeError) as caught:
        load(tmp_path, monkeypatch, text)
    assert caught.value.message == message.replace("{here}", str(tmp_path))


def test_problems_of_one_file_are_told_together_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ComposeError) as caught:
        load(tmp_path, monkeypatch, service("zzz: 1", "tty: 3", "ports: x"))
    assert [line.split(":")[1] for line in caught.value.message.splitlines()] == ["4", "5", "6"]


def test_a_file_full_of_problems_does_not_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ComposeError) as caught:
        load(tmp_path, monkeypatch, service(*(f"bad{number}: 1" for number in range(50))))
    assert caught.value.message.splitlines()[-1] == "f.yml: and 30 more problems"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ComposeError) as caught:
        load_stack([str(tmp_path / "gone.yml")], {})
    assert (
        caught.value.message
        == f"there is no compose file {tmp_path}/gone.yml; look at the path, or name another one"
    )


def test_directory_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(ComposeError) as caught:
        load_stack([str(tmp_path)], {})
    assert caught.value.message == f"the compose file {tmp_path} is a directory"


def test_exploding_aliases_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ComposeError, match="unfold to more than a million values"):
        load(tmp_path, monkeypatch, "\n".join(lines))


@pytest.mark.parametrize("name", WARNINGS)
def test_warning(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, message = WARNINGS[name]
    assert load(tmp_path, monkeypatch, text).warnings == (message,)


def test_seed_file_has_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent / "corpus")
    (warning,) = load_stack(["seed.yml"], {}).warnings
    assert warning.startswith("seed.yml:20:9: ")
    assert warning.endswith('did you mean "celery-worker"?')


def load_case(case: Several, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedStack:
    monkeypatch.chdir(tmp_path)
    for name, text in case.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    options = LoadOptions(env_files=case.env_files, profiles=case.profiles)
    return load_stack(case.names, case.environment, options)


@pytest.mark.parametrize("name", SEVERAL)
def test_case_of_several_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = SEVERAL[name]
    message = case.message.replace("{here}", str(tmp_path))
    if name == "daemon-only":
        assert load_case(case, tmp_path, monkeypatch).daemon_only == (message,)
    elif name == "engine-only":
        told = load_case(case, tmp_path, monkeypatch).engine_only
        assert told == (
            message,
            "f.yml:5: network default: not honoured by hivelet's daemon: ipam.options (the `default` driver has none)",
        )
    elif case.warning:
        assert load_case(case, tmp_path, monkeypatch).warnings == (message,)
    elif case.note:
        assert load_case(case, tmp_path, monkeypatch).notes == (message,)
    else:
        with pytest.raises(ComposeError) as caught:
            load_case(case, tmp_path, monkeypatch)
        assert caught.value.message == message


def test_no_default_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ComposeError) as caught:
        choose_files((), {})
    assert caught.value.message == NO_DEFAULT
    (tmp_path / "docker-compose.yml").touch()
    assert choose_files((), {}) == ["docker-compose.yml"]
    (tmp_path / "compose.yml").touch()
    assert choose_files((), {}) == ["compose.yml"]
    assert choose_files((), {"COMPOSE_FILE": "a.yml:b.yml"}) == ["a.yml", "b.yml"]
    comma = {"COMPOSE_FILE": "a.yml,b.yml", "COMPOSE_PATH_SEPARATOR": ","}
    assert choose_files((), comma) == ["a.yml", "b.yml"]
    assert choose_files(("c.yml",), comma) == ["c.yml"]
