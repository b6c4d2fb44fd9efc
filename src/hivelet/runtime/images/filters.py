"""Which images a list call asks for. Pure. Filters of one kind are alternatives, save `label`, where each must hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hivelet.errors import InvalidParameter
from hivelet.runtime.images.catalog import Catalog
from hivelet.runtime.images.records import EPOCH, ImageRecord, parse_time
from hivelet.runtime.images.references import parse_reference

_KNOWN = {"before", "dangling", "label", "label!", "reference", "since", "until"}
_TRUE = {"1", "true", "True", "TRUE", "t", "T"}
_FALSE = {"0", "false", "False", "FALSE", "f", "F"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s|ms)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

Filters = Mapping[str, Sequence[str]]


def select_images(catalog: Catalog, filters: Filters, *, now: datetime) -> list[ImageRecord]:
    """The images that fit all of `filters`, the newest first; with `reference`, only the names that fit.

    Raises:
        InvalidParameter: an unknown filter or a value it can't have.
        ImageUnknown: `before` or `since` names an image that isn't there.
    """
    for key in filters:
        if key not in _KNOWN:
            raise InvalidParameter(f"invalid filter '{key}'")
    images = [image for image in catalog.images() if _fits(image, filters)]
    before = [catalog.resolve(text).created_at for text in filters.get("before", ())]
    since = [catalog.resolve(text).created_at for text in filters.get("since", ())]
    before += [parse_until(text, now) for text in filters.get("until", ())]
    if before:
        images = [image for image in images if image.created_at < min(before)]
    if since:
        images = [image for image in images if image.created_at > max(since)]
    return images


def matches_reference(pattern: str, reference: str) -> bool:
    """Whether `pattern` fits a reference as people write it, or its repository alone (Go's path.Match)."""
    parsed = parse_reference(reference)
    expression = _glob(pattern)
    return any(expression.fullmatch(text) for text in (parsed.familiar, parsed.familiar_name))


def parse_until(text: str, now: datetime) -> datetime:
    """A moment: RFC 3339, seconds since the epoch, or how long ago (`24h`, `1h30m`)."""
    if text.replace(".", "", 1).isdigit():
        return datetime.fromtimestamp(float(text), UTC)
    moment = parse_time(text)
    if moment != EPOCH:
        return moment
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidParameter(f"invalid filter 'until={text}': neither a time nor a duration")
    return now - timedelta(seconds=sum(float(n) * _SECONDS[unit] for n, unit in parts))


def matches_labels(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether all of `wanted` hold: `key` is there, or `key=value` is exactly so."""
    for item in wanted:
        key, equals, value = item.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def _fits(image: ImageRecord, filters: Filters) -> bool:
    labels = image.config.labels
    if not matches_labels(labels, filters.get("label", ())):
        return False
    if any(matches_labels(labels, [item]) for item in filters.get("label!", ())):
        return False
    dangling = {_boolean("dangling", value) for value in filters.get("dangling", ())}
    if dangling and (not image.tags) not in dangling:
        return False
    patterns = filters.get("reference", ())
    return not patterns or any(
        matches_reference(pattern, name) for name in image.references for pattern in patterns
    )


def _boolean(key: str, value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise InvalidParameter(f"invalid filter '{key}={value}': not a boolean")
    return value in _TRUE


def _glob(pattern: str) -> re.Pattern[str]:
    """Go's path.Match: `*` and `?` stop at a slash, `[a-z]` and `[^a]` are classes, `\\` takes the next as it is."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                raise InvalidParameter(f"invalid filter 'reference={pattern}': '[' is not closed")
            inside = re.sub(r"([\\\[\]&~|])", r"\\\1", pattern[at:end])
            out.append(f"[{inside}]")
            at = end + 1
        elif char == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(char))
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error as error:
        raise InvalidParameter(f"invalid filter 'reference={pattern}': {error}") from error
