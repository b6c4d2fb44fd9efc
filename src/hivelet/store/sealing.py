"""Encrypts what the journal writes: secrets, join tokens, and the passwords that people put into environment variables.

Every record is sealed by itself (XChaCha20-Poly1305 with a random nonce, bound to its kind and id), under a key in a file of its
own beside the state. So a copy of the state alone, in a backup or on a thrown-away disk, tells nothing; with the key it tells
everything. A record begins with a mark of its key, so that a wrong key is told from a damaged record.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import msgspec
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from hivelet.errors import System
from hivelet.kit.files import write_atomic

KEY_LENGTH = 32
_NONCE_LENGTH = 24
_MARK_LENGTH = 4


class KeyUnusable(System):
    """The key is missing, can't be read, or is another one's."""


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`wrapped` says how `key` (base64) is itself protected: "none" as yet."""

    format: int = 1
    wrapped: str = "none"
    key: str


class Seal:
    """Seals and opens records with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._mark = hashlib.sha256(b"hivelet state key" + key).digest()[:_MARK_LENGTH]

    def shut(self, kind: str, id_: str, data: bytes) -> bytes:
        """The record as it is written."""
        nonce = os.urandom(_NONCE_LENGTH)
        name = _name(kind, id_)
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(data, name, nonce, self._key)
        return self._mark + nonce + sealed

    def open(self, kind: str, id_: str, record: bytes) -> bytes:
        """What was sealed.

        Raises:
            KeyUnusable: it was sealed with another key.
            ValueError: it is damaged, or belongs elsewhere.
        """
        mark, rest = record[:_MARK_LENGTH], record[_MARK_LENGTH:]
        if mark != self._mark:
            raise KeyUnusable("it was sealed with another key")
        nonce, sealed = rest[:_NONCE_LENGTH], rest[_NONCE_LENGTH:]
        try:
            return crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, _name(kind, id_), nonce, self._key
            )
        except (CryptoError, ValueError) as error:
            raise ValueError("the record is damaged") from error


def make_key(path: Path) -> Seal:
    """A new key in a new file that only its owner may read; safe on the disk when this returns."""
    key = os.urandom(KEY_LENGTH)
    content = msgspec.json.encode(_KeyFile(key=base64.b64encode(key).decode()))
    write_atomic(path, content, mode=0o600, sync=True)
    return Seal(key)


def read_key(path: Path) -> Seal:
    """The key in a file.

    Raises:
        KeyUnusable: there is none, or it can't be understood; says the way out.
    """
    way_out = (
        "Put it back from a backup; without it the state can't be read, and only a new swarm helps."
    )
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        key = base64.b64decode(content.key, validate=True)
    except FileNotFoundError:
        raise KeyUnusable(f"the key {path} of the cluster state is missing. {way_out}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise KeyUnusable(
            f"the key {path} of the cluster state is damaged: {error}. {way_out}"
        ) from error
    if content.format != 1 or content.wrapped != "none" or len(key) != KEY_LENGTH:
        raise KeyUnusable(f"the key {path} was written by a later hivelet. Start that version.")
    return Seal(key)


def _name(kind: str, id_: str) -> bytes:
    return f"{kind}/{id_}".encode()
