"""Secrets and configs: specs from clients, JSON for answers, and their filters."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from typing import TypeVar

from hivelet.convert.body import convert_json
from hivelet.convert.filters import Filters
from hivelet.convert.shape import Json, encode, encode_meta
from hivelet.errors import InvalidParameter
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec

FILTERS = ("name", "names", "id", "label")
"""What `GET /secrets` and `GET /configs` filter by."""

_ILLEGAL = re.compile(r"[^A-Za-z0-9+/=\r\n]|=(?![=\r\n]*$)")

F = TypeVar("F", Secret, Config)


def parse_secret_spec(data: Json) -> SecretSpec:
    """A client's secret, its data decoded."""
    return convert_json(_decoded(data), SecretSpec)


def parse_config_spec(data: Json) -> ConfigSpec:
    """A client's config, its data decoded."""
    return convert_json(_decoded(data), ConfigSpec)


def encode_secret(secret: Secret) -> Json:
    """A secret, never with its data."""
    return encode_meta(secret.id, secret.meta) | {"Spec": encode(secret.spec.replaced(data=b""))}


def encode_config(config: Config) -> Json:
    """A config with its data."""
    return encode_meta(config.id, config.meta) | {"Spec": encode(config.spec)}


def select_files(files: Iterable[F], filters: Filters) -> list[F]:
    """The secrets or configs that a list call asked for."""
    return [
        one
        for one in files
        if filters.prefix("name", one.spec.name)
        and filters.exact("names", one.spec.name)
        and filters.prefix("id", one.id)
        and filters.labels("label", one.spec.labels)
    ]


def _decoded(data: Json) -> Json:
    """The request with its base64 data as bytes, by Go's rules: the standard alphabet, padded, over several lines if need be."""
    text = data.get("Data")
    if not isinstance(text, str):
        return data
    plain = text.replace("\r", "").replace("\n", "")
    try:
        return data | {"Data": b64decode(plain, validate=True)}
    except (binascii.Error, ValueError) as error:
        wrong = _ILLEGAL.search(text)
        at = wrong.start() if wrong else len(plain) // 4 * 4
        raise InvalidParameter(f"illegal base64 data at input byte {at}") from error
