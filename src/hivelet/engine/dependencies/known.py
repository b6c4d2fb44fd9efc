"""Which secrets and configs a container reads as files, and what is in them. Pure.

A container's record names the files (`FileReference`); what they hold is looked up in what the cluster has told this node,
and goes nowhere but into the container's own tmpfs.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.common import ConfigId, SecretId, Struct
from hivelet.objects.secret import Config, Secret
from hivelet.objects.task import ConfigReference, ContainerSpec, SecretReference
from hivelet.objects.templating import DRIVER, TemplateContext, expand_payload

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
    context: TemplateContext | None = None
    """What its contents are filled in with, where they are a template."""


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


def file_references(
    spec: ContainerSpec, context: TemplateContext | None = None
) -> tuple[FileReference, ...]:
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
    return tuple(each.replaced(context=context) for each in (*secrets, *configs))


def resolve_files(
    references: Sequence[FileReference], known: Dependencies
) -> tuple[DependencyFile, ...]:
    """The files with their contents.

    Raises:
        NotFound: the cluster has no such secret or config any more.
        InvalidParameter: its contents come from a driver that hivelet does not have.
    """
    return tuple(
        DependencyFile(reference=reference, data=_contents(reference, references, known))
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


def _contents(
    reference: FileReference, all_of_it: Sequence[FileReference], known: Dependencies
) -> bytes:
    found = _find(reference, known)
    if found.spec.templating is None or not found.spec.templating.name:
        return found.spec.data
    what = f"{reference.kind} {reference.name}"
    if found.spec.templating.name != DRIVER:
        raise InvalidParameter(
            f"{what} has the template driver {found.spec.templating.name}: there is only {DRIVER}"
        )

    def read(kind: str) -> Callable[[str], str]:
        def lookup(target: str) -> str:
            for other in all_of_it:
                if other.kind == kind and target in (
                    other.target,
                    posixpath.basename(other.target),
                ):
                    return _text(what, _find(other, known).spec.data)
            raise InvalidParameter(f"the service has no {kind} with the target {target}")

        return lookup

    text = _text(what, found.spec.data)
    files = {kind: read(kind) for kind in ("secret", "config")}
    return expand_payload(what, text, reference.context or TemplateContext(), files).encode()


def _text(what: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"{what}: a template must be UTF-8 text") from error


def _find(reference: FileReference, known: Dependencies) -> Secret | Config:
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
    return found
