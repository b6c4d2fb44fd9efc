"""Encrypts what the journal writes: secrets, join tokens, and the passwords that people put into environment variables.

Every record is sealed by itself (XChaCha20-Poly1305 with a random nonce, bound to its kind and id), under a key in a file of its
own beside the state. So a copy of the state alone, in a backup or on a thrown-away disk, tells nothing; with the key it tells
everything. A record begins with a mark of its key, so that a wrong key is told from a damaged record.

Where the swarm is locked (`docker swarm update --autolock`) the key file holds the key itself sealed, under the unlock key, which
is on no disk but inside of the sealed state.
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

from hivelet.errors import SwarmLocked, System
from hivelet.kit.files import write_atomic
from hivelet.store.unlocking import UnlockKeyWrong, parse_unlock_key

KEY_LENGTH = 32
_NONCE_LENGTH = 24
_MARK_LENGTH = 4
_OPEN = "none"
_LOCKED = "unlock-key"


class KeyUnusable(System):
    """The key is missing, can't be read, or is another one's."""


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`wrapped` says how `key` (base64) is itself protected: not at all, or sealed under the unlock key."""

    format: int = 1
    wrapped: str = _OPEN
    key: str


class Seal:
    """Seals and opens records with one key."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._mark = hashlib.sha256(b"hivelet state key" + key).digest()[:_MARK_LENGTH]

    def shut(self, kind: str, id_: str, data: bytes) -> bytes:
        """The record as it is written."""
        nonce = os.urandom(_NONCE_LENGTH)
        name = _name(kind, id_)
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(data, name, nonce, self.key)
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
                sealed, _name(kind, id_), nonce, self.key
            )
        except (CryptoError, ValueError) as error:
            raise ValueError("the record is damaged") from error


def make_key(path: Path) -> Seal:
    """A new key in a new file that only its owner may read; safe on the disk when this returns."""
    seal = Seal(os.urandom(KEY_LENGTH))
    keep_key(path, seal)
    return seal


def keep_key(path: Path, seal: Seal, unlock_key: str = "") -> None:
    """Write the key of `seal`, itself sealed where there is an unlock key; safe on the disk when this returns."""
    key, wrapped = seal.key, _OPEN
    if unlock_key:
        key, wrapped = Seal(parse_unlock_key(unlock_key)).shut(*_PLACE, key), _LOCKED
    content = msgspec.json.encode(_KeyFile(wrapped=wrapped, key=base64.b64encode(key).decode()))
    write_atomic(path, content, mode=0o600, sync=True)


def is_locked(path: Path) -> bool:
    """Whether a key file that can be read needs an unlock key."""
    return msgspec.json.decode(path.read_bytes(), type=_KeyFile).wrapped == _LOCKED


def read_key(path: Path, unlock_key: str = "") -> Seal:
    """The key in a file.

    Raises:
        KeyUnusable: there is none, or it can't be understood; says the way out.
        SwarmLocked: it needs an unlock key, and none was given.
        UnlockKeyWrong: it needs another one.
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
    except OSError as error:
        raise KeyUnusable(
            f"the key {path} of the cluster state can't be read: {error.strerror}. {way_out}"
        ) from error
    if content.format != 1 or content.wrapped not in {_OPEN, _LOCKED}:
        raise KeyUnusable(f"the key {path} was written by a later hivelet. Start that version.")
    if content.wrapped == _LOCKED:
        key = _unwrap(key, unlock_key)
    if len(key) != KEY_LENGTH:
        raise KeyUnusable(f"the key {path} of the cluster state is damaged: its length. {way_out}")
    return Seal(key)


_PLACE = ("key", "state")
"""What a sealed key is bound to."""


def _unwrap(key: bytes, unlock_key: str) -> bytes:
    if not unlock_key:
        raise SwarmLocked
    try:
        return Seal(parse_unlock_key(unlock_key)).open(*_PLACE, key)
    except (KeyUnusable, ValueError) as error:
        raise UnlockKeyWrong from error


def _name(kind: str, id_: str) -> bytes:
    return f"{kind}/{id_}".encode()
