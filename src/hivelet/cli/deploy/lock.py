"""`stack config --lock-image-digests`: the images of a stack with their digests, as a file to lay over it."""

from __future__ import annotations

from typing import Any, TypeAlias

from hivelet.cli.messages import plain_message
from hivelet.cli.registry import registry_auth
from hivelet.cli.session import Session
from hivelet.client.engine import Engine
from hivelet.compose.images import with_default_tag
from hivelet.compose.model import StackFile
from hivelet.errors import HiveletError, InvalidParameter, NotFound

Json: TypeAlias = dict[str, Any]


def locked_images(session: Session, file: StackFile) -> Json:
    """The long form of a file that has nothing but the image of each service, with its digest.

    Raises:
        InvalidParameter: neither the registry nor the node knows the digest of one.
    """
    known: dict[str, str] = {}
    for service in file.services.values():
        if service.image and service.image not in known:
            known[service.image] = _locked(session, service.image)
    return {
        "services": {
            name: {"image": known[service.image]}
            for name, service in file.services.items()
            if service.image
        }
    }


def _locked(session: Session, image: str) -> str:
    if "@" in image:
        return image
    tagged, engine = with_default_tag(image), session.engine
    try:
        auth = registry_auth(session.environment, tagged)
        told = engine.registry_image(tagged, registry_auth=auth)
        digest = (told.get("Descriptor") or {}).get("digest")
    except HiveletError as error:
        digest, why = _local_digest(engine, tagged), plain_message(error.message)
    else:
        why = "its registry does not tell it"
    if not digest:
        raise InvalidParameter(
            f"the digest of image {image} is not known: {why}; an image that was only loaded or built here has none: "
            "push it to a registry first"
        )
    return f"{tagged}@{digest}"


def _local_digest(engine: Engine, image: str) -> str:
    """The digest under which this node once pulled the image; "" where it did not."""
    try:
        digests = engine.image(image).get("RepoDigests") or []
    except NotFound:
        return ""
    return str(digests[0]).partition("@")[2] if digests else ""
