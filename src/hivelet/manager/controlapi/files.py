"""Secrets and configs, as users write and read them. Their data never changes; their labels may."""

from __future__ import annotations

from collections.abc import Sequence

from hivelet.manager.controlapi.door import Door, at_version, require_swarm
from hivelet.manager.controlapi.rpc import invalid
from hivelet.manager.controlapi.validate import validate_file_name
from hivelet.objects.common import ConfigId, SecretId
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec
from hivelet.objects.service import Service
from hivelet.store.query import find_one
from hivelet.store.tx import Tx
from hivelet.store.view import View

MAX_SECRET = 500 * 1024
MAX_CONFIG = 1000 * 1024


class FilesApi(Door):
    """Behind the API's `ClusterFilesBackend`."""

    async def list_secrets(self) -> Sequence[Secret]:
        """All secrets."""
        return self._read(lambda view: list(view.all(Secret)))

    async def get_secret(self, ref: str) -> Secret:
        """One secret."""
        return self._read(lambda view: find_secret(view, ref))

    async def create_secret(self, spec: SecretSpec) -> SecretId:
        """Store a new secret."""
        validate_file_name(spec.name)
        if spec.driver is not None and spec.driver.name:
            raise invalid(
                f'plugin "{spec.driver.name}" not found: hivelet has no secret drivers; '
                "create the secret from its data"
            )
        if not 0 < len(spec.data) < MAX_SECRET:
            raise invalid(f"secret data must be larger than 0 and less than {MAX_SECRET} bytes")
        made = await self._write(lambda tx: tx.create(Secret(id=SecretId(""), spec=spec)))
        return made.id

    async def update_secret(self, ref: str, version: int, spec: SecretSpec) -> None:
        """Write a secret's labels."""

        def change(tx: Tx) -> None:
            secret = find_secret(tx, ref)
            if spec.name not in {"", secret.spec.name} or spec.data not in {b"", secret.spec.data}:
                raise invalid("only updates to Labels are allowed")
            labelled = secret.spec.replaced(labels=spec.labels)
            tx.update(secret.replaced(spec=labelled, meta=at_version(secret, version)))

        await self._write(change)

    async def remove_secret(self, ref: str) -> None:
        """Remove a secret that no service uses."""

        def change(tx: Tx) -> None:
            secret = find_secret(tx, ref)
            _refuse_used("secret", secret.spec.name, tx.services_using_secret(secret.id))
            tx.delete(secret)

        await self._write(change)

    async def list_configs(self) -> Sequence[Config]:
        """All configs."""
        return self._read(lambda view: list(view.all(Config)))

    async def get_config(self, ref: str) -> Config:
        """One config."""
        return self._read(lambda view: find_config(view, ref))

    async def create_config(self, spec: ConfigSpec) -> ConfigId:
        """Store a new config."""
        validate_file_name(spec.name)
        if not 0 < len(spec.data) < MAX_CONFIG:
            raise invalid(f"config data must be larger than 0 and less than {MAX_CONFIG} bytes")
        made = await self._write(lambda tx: tx.create(Config(id=ConfigId(""), spec=spec)))
        return made.id

    async def update_config(self, ref: str, version: int, spec: ConfigSpec) -> None:
        """Write a config's labels."""

        def change(tx: Tx) -> None:
            config = find_config(tx, ref)
            if spec.name not in {"", config.spec.name} or spec.data not in {b"", config.spec.data}:
                raise invalid("only updates to Labels are allowed")
            labelled = config.spec.replaced(labels=spec.labels)
            tx.update(config.replaced(spec=labelled, meta=at_version(config, version)))

        await self._write(change)

    async def remove_config(self, ref: str) -> None:
        """Remove a config that no service uses."""

        def change(tx: Tx) -> None:
            config = find_config(tx, ref)
            _refuse_used("config", config.spec.name, tx.services_using_config(config.id))
            tx.delete(config)

        await self._write(change)


def find_secret(view: View, ref: str) -> Secret:
    """The secret that `ref` means."""
    require_swarm(view)
    return find_one("secret", ref, view.all(Secret), lambda secret: secret.spec.name)


def find_config(view: View, ref: str) -> Config:
    """The config that `ref` means."""
    require_swarm(view)
    return find_one("config", ref, view.all(Config), lambda config: config.spec.name)


def _refuse_used(kind: str, name: str, users: Sequence[Service]) -> None:
    if users:
        names = ", ".join(service.spec.name for service in users)
        noun = "services" if len(users) > 1 else "service"
        raise invalid(f"{kind} '{name}' is in use by the following {noun}: {names}")
