"""Families of samples as prometheus-client takes them, made in one expression. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

Row = tuple[tuple[str, ...], float]
"""The values of a family's labels, and the sample's."""


def gauge(name: str, about: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
    """What may rise and fall."""
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def counter(name: str, about: str, labels: tuple[str, ...], rows: Iterable[Row]) -> Metric:
    """What only rises, until the daemon is started anew."""
    family = CounterMetricFamily(name, about, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family
