"""The secrets and configs of the stack: those it creates, and what its services refer to, by id and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hivelet.compose import model
from hivelet.compose.names import scoped, with_stack_label
from hivelet.objects.common import Driver
from hivelet.objects.secret import ConfigSpec, SecretSpec
from hivelet.objects.task import ConfigReference, SecretReference, SecretReferenceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIds:
    """The ids that secrets and configs have in the cluster, by their whole names."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)


def secret_specs(
    stack: str, file: model.StackFile, contents: Mapping[tuple[str, str], bytes]
) -> list[SecretSpec]:
    """The secrets that the stack creates."""
    return [
        SecretSpec(
            name=secret.name or scoped(stack, name),
            labels=with_stack_label(stack, secret.labels),
            data=contents.get(("secrets", name), b""),
            driver=Driver(name=secret.driver, options=secret.driver_opts)
            if secret.driver
            else None,
            templating=Driver(name=secret.template_driver) if secret.template_driver else None,
        )
        for name, secret in file.secrets.items()
        if not secret.external
    ]


def config_specs(
    stack: str, file: model.StackFile, contents: Mapping[tuple[str, str], bytes]
) -> list[ConfigSpec]:
    """The configs that the stack creates."""
    return [
        ConfigSpec(
            name=config.name or scoped(stack, name),
            labels=with_stack_label(stack, config.labels),
            data=contents.get(("configs", name), b""),
            templating=Driver(name=config.template_driver) if config.template_driver else None,
        )
        for name, config in file.configs.items()
        if not config.external
    ]


def referenced_names(stack: str, file: model.StackFile) -> tuple[set[str], set[str]]:
    """The whole names of all secrets and configs that services use: their ids must be known for `service_specs`."""
    secrets: set[str] = set()
    configs: set[str] = set()
    for service in file.services.values():
        secrets |= {object_name(stack, use.source, file.secrets) for use in service.secrets}
        configs |= {object_name(stack, use.source, file.configs) for use in service.configs}
        if service.credential_spec.config:
            configs.add(object_name(stack, service.credential_spec.config, file.configs))
    return secrets, configs


def object_name(stack: str, source: str, declared: Mapping[str, model.FileObject]) -> str:
    """The whole name of a secret or config that the file calls `source`."""
    entry = declared.get(source)
    return entry.name if entry is not None and entry.name else scoped(stack, source)


def _reference_file(use: model.FileReference) -> SecretReferenceFile:
    return SecretReferenceFile(
        name=use.target or use.source,
        uid=use.uid or "0",
        gid=use.gid or "0",
        mode=0o444 if use.mode is None else use.mode,
    )


def secret_references(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> list[SecretReference]:
    """The secrets of a service, by name."""
    references: list[SecretReference] = []
    for use in service.secrets:
        name = object_name(stack, use.source, file.secrets)
        file_target = _reference_file(use)
        references.append(
            SecretReference(file=file_target, secret_id=ids.secrets.get(name, ""), secret_name=name)
        )
    return sorted(references, key=lambda reference: reference.secret_name)


def config_references(
    stack: str, service: model.ServiceFile, file: model.StackFile, ids: KnownIds
) -> list[ConfigReference]:
    """The configs of a service, by name, that of its credentials with them."""
    references: list[ConfigReference] = []
    for use in service.configs:
        name = object_name(stack, use.source, file.configs)
        file_target = _reference_file(use)
        references.append(
            ConfigReference(file=file_target, config_id=ids.configs.get(name, ""), config_name=name)
        )
    if service.credential_spec.config:
        name = object_name(stack, service.credential_spec.config, file.configs)
        references.append(
            ConfigReference(runtime={}, config_id=ids.configs.get(name, ""), config_name=name)
        )
    return sorted(references, key=lambda reference: reference.config_name)
