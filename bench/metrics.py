"""What a scrape of the metrics costs: processor time and length of the page, for so many services of two tasks each.

hivelet's own control plane in virtual time with fake containers, as in `bench.control_plane`; what is timed is the reading of the
store and the writing of the page. Beside it, in the same process, what `GET /services` of the same store costs, without its sending:
a request that every dashboard makes.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Collection

import msgspec
import structlog

from hivelet.convert.service import count_tasks, encode_service
from hivelet.metrics.node import NodeFacts
from hivelet.metrics.page import MetricsPage
from hivelet.objects.common import TaskId
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.service import Service
from hivelet.objects.task import Task
from hivelet.testing.cluster import SimulatedCluster, replicated
from hivelet.testing.virtual_time import run_virtual

SIZES = (10, 100, 500)


async def facts(tasks: Collection[TaskId]) -> NodeFacts:
    """A node with nothing but connections."""
    traffic = BackendTraffic(admitted=True, busy=1, idle=1)
    return NodeFacts(version="bench", traffic=dict.fromkeys(tasks, traffic))


def listing(cluster: SimulatedCluster) -> bytes:
    """The body of `GET /services?status=true`."""

    def read(view):
        services = list(view.all(Service))
        counts = count_tasks(services, view.all(Task))
        return [encode_service(one, counts=counts[one.id]) for one in services]

    return msgspec.json.encode(cluster.store.view(read))


async def measure(services: int, rounds: int) -> str:
    """One row."""
    cluster = SimulatedCluster(checking=False)
    await cluster.start()
    for number in range(services):
        await cluster.create(replicated(f"service-{number}", 2))
    await cluster.until(lambda: len(cluster.running()) == 2 * services)
    page = MetricsPage(cluster.store, facts, ())
    scrapes, lists, size, lines = [], [], 0, 0
    for _ in range(rounds):
        begun = time.process_time()
        text = await page.render()
        scrapes.append(time.process_time() - begun)
        size, lines = len(text), text.count(b"\n")
        begun = time.process_time()
        listing(cluster)
        lists.append(time.process_time() - begun)
    await cluster.stop()
    scrape, services_ls = (1000 * statistics.median(times) for times in (scrapes, lists))
    ratio = scrape / services_ls
    return (
        f"| {services} | {lines:,} | {size / 1024:.0f} KiB | {scrape:.1f} ms "
        f"| {services_ls:.1f} ms | {ratio:.1f} |"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="What a scrape of the metrics costs")
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print("| services | lines | page | a scrape | `GET /services` | ratio |")
    print("|---|---|---|---|---|---|")
    for size in SIZES:
        print(run_virtual(measure(size, rounds)))


if __name__ == "__main__":
    main()
