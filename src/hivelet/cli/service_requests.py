"""What `service create`, `update` and `scale` send: options into a spec, and names into the ids that the API wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hivelet.cli.service_spec import changed_spec, empty_spec
from hivelet.cli.session import Session
from hivelet.cli.spec_changes import set_replicas
from hivelet.compose.env_files import RAW
from hivelet.compose.files import read_env_file
from hivelet.errors import InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]

_BEHAVIOUR = frozenset(
    {"detach", "quiet", "timeout", "no_resolve_image", "with_registry_auth", "rollback", "env_file"}
)


def prepare_create(
    session: Session, image: str, command: Sequence[str], options: Mapping[str, Any]
) -> Json:
    """The spec of a new service.

    Raises:
        HiveletError: an option is not right, or names what does not exist.
    """
    given = _given(options)
    variables = dict(session.environment)
    from_files = [read_env_file(path, RAW, variables) for path in options["env_file"]]
    file_entries = [f"{name}={value}" for entries in from_files for name, value in entries.items()]
    if file_entries or "env" in given:
        given["env"] = [*file_entries, *given.get("env", ())]
    if given.get("mode", "replicated").startswith("global") and "replicas" in given:
        raise InvalidParameter(
            "--replicas: replicas can only be used with replicated or replicated-job mode"
        )
    first: Json = {key: given.pop(key) for key in ("replicas", "mode") if key in given}
    args = {"args": list(command)} if command else {}
    return _resolved(
        session, changed_spec(empty_spec(), {**first, "image": image, **args, **given})
    )


def prepare_update(session: Session, spec: Json, options: Mapping[str, Any]) -> Json:
    """The changed spec of a service.

    Raises:
        HiveletError: an option is not right, or names what does not exist.
    """
    given = _given(options)
    given["force"] = bool(given.get("force"))
    if "network_rm" in given:
        given["network_rm"] = [
            session.engine.network(name)["Id"] for name in given["network_rm"]
        ] + list(given["network_rm"])
    removals = {key: value for key, value in given.items() if key.endswith("_rm")}
    additions = {key: value for key, value in given.items() if not key.endswith("_rm")}
    return _resolved(session, changed_spec(spec, {**removals, **additions}))


def scaled_spec(spec: Json, count: int) -> Json:
    """`spec` with so many replicas.

    Raises:
        InvalidParameter: the service has no replicas.
    """
    changed = changed_spec(spec, {})
    try:
        set_replicas(changed, count)
    except ValueError as error:
        raise InvalidParameter(
            "scale can only be used with replicated or replicated-job mode"
        ) from error
    return changed


def parse_scale(target: str) -> tuple[str, int]:
    """`SERVICE=REPLICAS`.

    Raises:
        InvalidParameter: it is of another form, or the count is no whole number.
    """
    ref, equals, count = target.partition("=")
    if not equals or not ref:
        raise InvalidParameter(f'"{target}" is not of the form SERVICE=REPLICAS')
    if not count.isdecimal():
        raise InvalidParameter(
            f'"{target}": invalid replica count "{count}"; it must be a whole number from 0'
        )
    return ref, int(count)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given and describe the service; `--env-add` counts as `env`."""
    return {
        key: value
        for key, value in options.items()
        if key not in _BEHAVIOUR and value not in (None, ())
    }


def _resolved(session: Session, spec: Json) -> Json:
    """Names of networks, secrets and configs replaced by ids, or completed with them."""
    task = spec["TaskTemplate"]
    known: dict[str, str] = {}
    for attachment in task.get("Networks") or []:
        target = attachment["Target"]
        if target not in known:
            known[target] = session.engine.network(target)["Id"]
        attachment["Target"] = known[target]
    container = task.get("ContainerSpec") or {}
    for kind, key in (("secrets", "Secret"), ("configs", "Config")):
        for reference in container.get(f"{key}s") or []:
            if not reference.get(f"{key}ID"):
                name = reference[f"{key}Name"]
                entry = session.engine.find_file_object(kind, name)
                if entry is None:
                    raise NotFound(
                        f"{key.lower()} not found: {name}; `hivelet {key.lower()} create` makes one"
                    )
                reference[f"{key}ID"] = entry["ID"]
    return spec
