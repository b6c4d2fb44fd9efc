"""Which secrets and configs a container reads as files, and what is in them. Pure.

A container's record names the files (`FileReference`); what they hold is looked up in what the cluster has told this node,
and goes nowhere but into the container's own tmpfs.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.common import ConfigId, SecretId, Struct
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import ConfigReference, ContainerSpec, SecretReference

SECRETS_HOME = "/run/secrets"
"""Where a secret lies whose target is no absolute path; a config lies at the root."""

_HIGHEST_ID = 2**32 - 2


class FileReference(Struct, frozen=True, kw_only=True):
    """A secret or config (kind: secret, config) at its place in a container. `target` is absolute."""

    kind: str
    id: str
    name: str
    target: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyFile:
    """A file as it is to be written."""

    reference: FileReference
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What this node's tasks may read, by id."""

    secrets: Mapping[SecretId, Secret]
    configs: Mapping[ConfigId, Config]


def file_references(spec: ContainerSpec) -> tuple[FileReference, ...]:
    """The files that a task's container reads.

    Raises:
        InvalidParameter: an owner is no number, or a target no file.
    """
    secrets = [
        _reference("secret", r, r.secret_id, r.secret_name, SECRETS_HOME) for r in spec.secrets
    ]
    # A config for the runtime (a credential spec) is no file.
    configs = [
        _reference("config", r, r.config_id, r.config_name, "/")
        for r in spec.configs
        if r.runtime is None
    ]
    return (*secrets, *configs)


def resolve_files(
    references: Sequence[FileReference], known: Dependencies
) -> tuple[DependencyFile, ...]:
    """The files with their contents.

    Raises:
        NotFound: the cluster has no such secret or config any more.
        InvalidParameter: its contents come from a driver that hivelet does not have.
    """
    return tuple(
        DependencyFile(reference=reference, data=_data(reference, known))
        for reference in references
    )


def _reference(
    kind: str, given: SecretReference | ConfigReference, id_: str, name: str, home: str
) -> FileReference:
    if given.file is None:
        raise InvalidParameter(f"{kind} {name}: the service does not say at which file it lies")
    target = posixpath.normpath(posixpath.join(home, given.file.name)).replace("//", "/")
    if target in ("/", home):
        raise InvalidParameter(f'{kind} {name}: the target "{given.file.name}" is no file')
    return FileReference(
        kind=kind,
        id=id_,
        name=name,
        target=target,
        uid=_owner(kind, name, "UID", given.file.uid),
        gid=_owner(kind, name, "GID", given.file.gid),
        mode=given.file.mode & 0o777,
    )


def _owner(kind: str, name: str, what: str, text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or int(text) > _HIGHEST_ID:
        raise InvalidParameter(f'{kind} {name}: the {what} "{text}" must be a number')
    return int(text)


def _data(reference: FileReference, known: Dependencies) -> bytes:
    found: Secret | Config | None = (
        known.secrets.get(SecretId(reference.id))
        if reference.kind == "secret"
        else known.configs.get(ConfigId(reference.id))
    )
    what = f"{reference.kind} {reference.name}"
    if found is None:
        raise NotFound(
            f"{what} ({reference.id}) not found: it was removed from the swarm. "
            "Create it again and update the service"
        )
    if isinstance(found, Secret) and found.spec.driver is not None:
        raise InvalidParameter(
            f"{what} comes from the secret driver {found.spec.driver.name}: hivelet has no secret drivers yet. "
            "Create the secret from a file"
        )
    if found.spec.templating is not None and found.spec.templating.name:
        raise InvalidParameter(
            f"{what} is a template ({found.spec.templating.name}): hivelet does not expand templates yet. "
            "Create it without a template driver"
        )
    return found.spec.data
