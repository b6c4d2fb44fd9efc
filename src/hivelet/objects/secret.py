"""Secrets and configs: small files that the cluster keeps for its services. `data` is raw bytes."""

from __future__ import annotations

from msgspec import field

from hivelet.objects.common import ConfigId, Driver, Meta, SecretId, Struct


class SecretSpec(Struct, frozen=True, kw_only=True):
    """A secret as the user gave it; never answered by the API with its data."""

    name: str = ""
    labels: dict[str, str] = {}
    data: bytes = b""
    driver: Driver | None = None
    templating: Driver | None = None


class Secret(Struct, frozen=True, kw_only=True):
    """A secret of the cluster."""

    id: SecretId = field(name="ID")
    meta: Meta = Meta()
    spec: SecretSpec = SecretSpec()


class ConfigSpec(Struct, frozen=True, kw_only=True):
    """A config as the user gave it."""

    name: str = ""
    labels: dict[str, str] = {}
    data: bytes = b""
    templating: Driver | None = None


class Config(Struct, frozen=True, kw_only=True):
    """A config of the cluster."""

    id: ConfigId = field(name="ID")
    meta: Meta = Meta()
    spec: ConfigSpec = ConfigSpec()
