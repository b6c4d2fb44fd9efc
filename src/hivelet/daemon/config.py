"""How a hiveletd is configured: defaults, then the file, then the command line. Pure but for reading the file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hivelet.errors import InvalidParameter
from hivelet.kit.durations import parse_duration
from hivelet.objects.generic import parse_generic_resources

DEFAULT_HOST = "unix:///run/hivelet.sock"
DEFAULT_FILE = Path("/etc/hivelet/hiveletd.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """Where a hiveletd listens and keeps its things.

    `root` survives a reboot, `run` does not. The file's keys are these names with `-` for `_`.
    """

    host: tuple[str, ...] = (DEFAULT_HOST,)
    root: Path = Path("/var/lib/hivelet")
    run: Path = Path("/run/hivelet")
    cgroup_parent: str = "hivelet"
    log_level: str = "info"
    log_format: str = "text"
    runtime: str = ""
    """Which OCI runtime to use, "crun" or "runc"; "" lets a probe choose."""
    runtime_timeout: str = "2m"
    """How long one call of it may take before it is taken to hang, and is killed."""
    registry_timeout: str = "5m"
    """How long a registry may send nothing before what was asked of it is given up."""
    firewall: str = "adjust"
    """What to do about another firewall that drops our packets: "adjust" it, or only "report" it."""
    metrics_addr: str = ""
    """ADDRESS:PORT at which Prometheus finds the metrics in plain HTTP; "" for nowhere but the API's own sockets."""
    label: tuple[str, ...] = ()
    """Labels of this node's engine, NAME=VALUE: `engine.labels.NAME` in placement constraints."""
    tlscacert: str = ""
    """The certificate of the authority that signs clients' certificates; TCP is served with it and the two below alone."""
    tlscert: str = ""
    """The certificate that we show."""
    tlskey: str = ""
    """Its key."""
    tlsverify: bool = True
    """Whether clients must show a certificate; they must."""
    insecure_registry: tuple[str, ...] = ()
    """Registries that need no TLS, HOST, HOST:PORT or a network in CIDR notation."""
    node_generic_resource: tuple[str, ...] = ()
    """What this node has beyond CPU and memory, KIND=NUMBER or KIND=NAME (once for each name)."""


_SEVERAL = ("host", "label", "insecure_registry", "node_generic_resource")

_TRUTHS = ("tlsverify",)

_CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
    "runtime": ("", "crun", "runc"),
    "firewall": ("adjust", "report"),
}


def load_config(path: Path, overrides: Mapping[str, Any]) -> DaemonConfig:
    """The configuration out of a TOML file (which may be missing if it is the default one) and `overrides`.

    Raises:
        InvalidParameter: the file cannot be read, or a key or value is not one; it names the file and the key.
    """
    settings = _read(path)
    for key, value in settings.items():
        _check(path, key, value)
    given = {key: value for key, value in overrides.items() if value not in (None, ())}
    return _build({key.replace("-", "_"): value for key, value in settings.items()} | given)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        if path == DEFAULT_FILE:
            return {}
        raise InvalidParameter(
            f"{path}: there is no such file; leave out --config, or create it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameter(f"{path}: this is not TOML: {error}") from error


def _check(path: Path, key: str, value: Any) -> None:
    known = [field.name.replace("_", "-") for field in fields(DaemonConfig)]
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(known)}"
        raise InvalidParameter(f'{path}: unknown key "{key}"; {hint}')
    if key in _TRUTHS:
        if not isinstance(value, bool):
            raise InvalidParameter(f'{path}: "{key}" must be true or false')
        return
    several = key.replace("-", "_") in _SEVERAL
    wanted = (str, list) if several else (str,)
    if not isinstance(value, wanted) or (
        isinstance(value, list) and not all(isinstance(v, str) for v in value)
    ):
        raise InvalidParameter(
            f'{path}: "{key}" must be a string{" or a list of strings" if several else ""}'
        )


def _build(settings: Mapping[str, Any]) -> DaemonConfig:
    values = dict(settings)
    for key in _SEVERAL:
        if (given := values.get(key)) is not None:
            values[key] = (given,) if isinstance(given, str) else tuple(given)
    _check_resources(values)
    for key, standard in (("runtime-timeout", "2m"), ("registry-timeout", "5m")):
        _check_duration(key, values.get(key.replace("-", "_"), standard))
    for key in ("root", "run"):
        if key in values:
            values[key] = Path(values[key]).absolute()
    for key, allowed in _CHOICES.items():
        if values.get(key, allowed[0]) not in allowed:
            raise InvalidParameter(
                f'{key.replace("_", "-")}: "{values[key]}" is none of {", ".join(filter(None, allowed))}'
            )
    return replace(DaemonConfig(), **values)


def _check_duration(key: str, text: str) -> None:
    try:
        positive = parse_duration(text) > 0
    except ValueError:
        positive = False
    if not positive:
        raise InvalidParameter(f'{key}: "{text}" is no length of time; write 30s, 2m or 1m30s')


def _check_resources(values: Mapping[str, Any]) -> None:
    for label in values.get("label", ()):
        if not label.partition("=")[0] or "=" not in label:
            raise InvalidParameter(f'label: "{label}" is no label; write NAME=VALUE')
    try:
        parse_generic_resources(values.get("node_generic_resource", ()))
    except ValueError as error:
        raise InvalidParameter(f"node-generic-resource: {error}") from error
