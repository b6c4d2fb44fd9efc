"""`--change` of `import` and `commit`: Dockerfile instructions applied to an image's config. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from hivelet.errors import InvalidParameter
from hivelet.kit.foreign_json import decode_json
from hivelet.objects.container import ContainerConfig, Healthcheck

_DEFAULT_SHELL = ["/bin/sh", "-c"]
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")
_PIECE = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'\\]+)""")
_SECOND = 1_000_000_000
_UNITS = {"h": 3600 * _SECOND, "m": 60 * _SECOND, "s": _SECOND, "ms": 1_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")


def apply_changes(config: ContainerConfig, changes: Iterable[str]) -> ContainerConfig:
    """`config` after each instruction of `changes` (CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, …), in order.

    Raises:
        InvalidParameter: an instruction that is unknown or malformed.
    """
    for change in changes:
        for line in change.replace("\\\n", " ").splitlines():
            word, _, rest = line.strip().partition(" ")
            if not word or word.startswith("#"):
                continue
            instruction = _INSTRUCTIONS.get(word.upper())
            if instruction is None:
                raise InvalidParameter(
                    f"{word.upper()} is not a valid change command: one of {', '.join(_INSTRUCTIONS)}"
                )
            if not rest.strip():
                raise InvalidParameter(f"{word.upper()} requires at least one argument")
            config = instruction(config, rest.strip())
    return config


def split_words(text: str) -> list[str]:
    """Words as a Dockerfile has them: quoted with " or ', escaped with a backslash."""
    words = _WORD.findall(text)
    if "".join("".join(words).split()) != "".join(text.split()):
        raise InvalidParameter(f"unbalanced quotes in {text!r}")
    return [_unquote(word) for word in words]


def _unquote(word: str) -> str:
    def plain(found: re.Match[str]) -> str:
        escaped, double, single, bare = found.groups()
        if double is not None:
            return re.sub(r'\\(["\\$])', r"\1", double)
        return next((part for part in (escaped, single, bare) if part is not None), "")

    return _PIECE.sub(plain, word)


def _command(config: ContainerConfig, rest: str) -> list[str]:
    """The JSON form as it is; anything else goes to the image's shell."""
    if rest.startswith("["):
        try:
            words: list[str] = decode_json(rest, list[str])
        except msgspec.MsgspecError:
            pass
        else:
            return words
    return [*(config.shell or _DEFAULT_SHELL), rest]


def _pairs(word: str, rest: str) -> list[tuple[str, str]]:
    """`K=V K2=V2`, or the old `K V…`."""
    first = rest.split(None, 1)
    if "=" not in first[0]:
        if len(first) < 2:
            raise InvalidParameter(f"{word} must have two arguments")
        return [(first[0], first[1])]
    pairs = []
    for item in split_words(rest):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise InvalidParameter(f"{word}: {item!r} is not of the form NAME=VALUE")
        pairs.append((key, value))
    return pairs


def _cmd(config: ContainerConfig, rest: str) -> ContainerConfig:
    return config.replaced(cmd=_command(config, rest))


def _entrypoint(config: ContainerConfig, rest: str) -> ContainerConfig:
    return config.replaced(entrypoint=_command(config, rest))


def _env(config: ContainerConfig, rest: str) -> ContainerConfig:
    env = {item.partition("=")[0]: item for item in config.env}
    env.update((key, f"{key}={value}") for key, value in _pairs("ENV", rest))
    return config.replaced(env=list(env.values()))


def _label(config: ContainerConfig, rest: str) -> ContainerConfig:
    return config.replaced(labels=config.labels | dict(_pairs("LABEL", rest)))


def _expose(config: ContainerConfig, rest: str) -> ContainerConfig:
    ports = dict(config.exposed_ports)
    for word in rest.split():
        found = _PORT.fullmatch(word)
        first = int(found[1]) if found else 0
        last = int(found[2]) if found and found[2] else first
        if found is None or not 0 < first <= last <= 65535:
            raise InvalidParameter(f"EXPOSE: invalid containerPort: {word}")
        protocol = (found[3] or "tcp").lower()
        ports.update({f"{port}/{protocol}": {} for port in range(first, last + 1)})
    return config.replaced(exposed_ports=ports)


def _volume(config: ContainerConfig, rest: str) -> ContainerConfig:
    paths: Sequence[str] = rest.split()
    if rest.startswith("["):
        paths = _command(config, rest)
    return config.replaced(volumes=config.volumes | {path: {} for path in paths if path})


def _user(config: ContainerConfig, rest: str) -> ContainerConfig:
    return config.replaced(user=rest)


def _workdir(config: ContainerConfig, rest: str) -> ContainerConfig:
    path = "".join(split_words(rest)) if rest[:1] in "\"'" else rest
    if not path.startswith("/"):
        path = f"{config.working_dir or '/'}/{path}"
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return config.replaced(working_dir="/" + "/".join(parts))


def _stop_signal(config: ContainerConfig, rest: str) -> ContainerConfig:
    return config.replaced(stop_signal=rest)


def _on_build(config: ContainerConfig, rest: str) -> ContainerConfig:
    return config.replaced(on_build=[*(config.on_build or ()), rest])


def _shell(config: ContainerConfig, rest: str) -> ContainerConfig:
    if not rest.startswith("["):
        raise InvalidParameter("SHELL requires the arguments to be in JSON form")
    return config.replaced(shell=_command(config, rest))


def _healthcheck(config: ContainerConfig, rest: str) -> ContainerConfig:
    options: dict[str, int] = {}
    names = {
        "--interval": "interval",
        "--timeout": "timeout",
        "--start-period": "start_period",
        "--start-interval": "start_interval",
        "--retries": "retries",
    }
    while rest.startswith("--"):
        word, _, rest = rest.partition(" ")
        name, _, value = word.partition("=")
        if name not in names:
            raise InvalidParameter(f"HEALTHCHECK: unknown flag {name}")
        options[names[name]] = _number(value) if name == "--retries" else _nanoseconds(value)
        rest = rest.strip()
    kind, _, command = rest.partition(" ")
    if kind.upper() == "NONE":
        return config.replaced(healthcheck=Healthcheck(test=["NONE"]))
    command = command.strip()
    if kind.upper() != "CMD" or not command:
        raise InvalidParameter("HEALTHCHECK must be NONE, or [options] CMD and a command")
    if command.startswith("["):
        test = ["CMD", *_command(config, command)]
    else:
        test = ["CMD-SHELL", command]
    return config.replaced(healthcheck=Healthcheck(test=test, **options))


def _number(text: str) -> int:
    if not text.isdigit():
        raise InvalidParameter(f"HEALTHCHECK: {text!r} is not a number")
    return int(text)


def _nanoseconds(text: str) -> int:
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidParameter(f"HEALTHCHECK: {text!r} is not a duration such as 5s or 1m30s")
    return sum(int(float(number) * _UNITS[unit]) for number, unit in parts)


_INSTRUCTIONS: dict[str, Callable[[ContainerConfig, str], ContainerConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
