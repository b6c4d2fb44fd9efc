"""What `image rm` does: which names go, whether the image goes with them, or why not. Pure.

The rules are the Docker Engine's. By name: only that name is taken, and the image goes with its last one. By id: the image
goes with all its names, if they are in one repository. A container that uses the image forbids that; `force` overrules
it for stopped containers only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hivelet.errors import Conflict
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.records import ImageRecord
from hivelet.runtime.images.references import parse_any, parse_reference

_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUse:
    """A container that was made from an image."""

    image_id: str
    container_id: str
    running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What is to be done: names to take away, in full form, and whether the image goes."""

    image_id: str
    names: tuple[str, ...] = ()
    delete: bool = False


def plan_removal(
    catalog: Catalog, text: str, *, force: bool = False, uses: Iterable[ImageUse] = ()
) -> Removal:
    """Decide what removing `text` does.

    Raises:
        ImageUnknown: there is no such image.
        Conflict: it is in use, or has names in several repositories; in Docker's words.
    """
    image = catalog.resolve(text)
    users = sorted(
        (use for use in uses if use.image_id == image.id),
        key=lambda use: (not use.running, use.container_id),
    )
    lookup = parse_any(text)
    by_id = lookup.id_prefix and image.id.startswith(f"sha256:{lookup.id_prefix}")
    if lookup.reference is None or (by_id and not _is_named(image, text)):
        return _plan_by_id(image, force=force, users=users)
    reference = lookup.reference
    if reference.digest:
        reference = reference.with_digest(reference.digest)
    return _plan_by_name(image, reference.canonical, force=force, users=users)


def _plan_by_name(image: ImageRecord, name: str, *, force: bool, users: list[ImageUse]) -> Removal:
    if not force and _is_single(image) and users:
        raise Conflict(
            f'conflict: unable to remove repository reference "{parse_reference(name).familiar}"'
            f" (must force) - container {users[0].container_id[:_SHORT]} is using its referenced"
            f" image {_short(image)}"
        )
    gone = [name]
    repository = parse_reference(name).name
    others = [tag for tag in image.tags if tag != name and parse_reference(tag).name == repository]
    if "@" not in name and not others:
        # Digests of a repository mean nothing to the user once its last tag is gone.
        gone += [d for d in image.digests if parse_reference(d).name == repository]
    if set(image.references) - set(gone):
        return Removal(image_id=image.id, names=tuple(gone))
    # The last name is gone. A container still holds the image then, and `force` leaves it nameless.
    return Removal(image_id=image.id, names=tuple(gone), delete=not users or not users[0].running)


def _plan_by_id(image: ImageRecord, *, force: bool, users: list[ImageUse]) -> Removal:
    if users and users[0].running:
        raise Conflict(
            f"conflict: unable to delete {_short(image)} (cannot be forced)"
            f" - image is being used by running container {users[0].container_id[:_SHORT]}"
        )
    if not force and not _is_single(image) and image.references:
        raise Conflict(
            f"conflict: unable to delete {_short(image)} (must be forced)"
            " - image is referenced in multiple repositories"
        )
    if not force and users:
        raise Conflict(
            f"conflict: unable to delete {_short(image)} (must be forced)"
            f" - image is being used by stopped container {users[0].container_id[:_SHORT]}"
        )
    return Removal(image_id=image.id, names=image.references, delete=True)


def _is_named(image: ImageRecord, text: str) -> bool:
    """Whether `text`, which could also be an id, is one of the image's names."""
    return parse_reference(text).with_default_tag().canonical in image.references


def _is_single(image: ImageRecord) -> bool:
    """At most one tag, and all names in one repository."""
    names = {parse_reference(reference).name for reference in image.references}
    return len(image.tags) <= 1 and len(names) <= 1


def _short(image: ImageRecord) -> str:
    return image.id.removeprefix("sha256:")[:_SHORT]
