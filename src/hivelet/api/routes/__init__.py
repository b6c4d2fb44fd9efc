"""The routes of the API, one file for each of Docker's nouns; each ends in its own flat table `ROUTES`."""

from __future__ import annotations

from hivelet.api.routes import (
    auth,
    builds,
    configs,
    containers,
    distribution,
    execs,
    files,
    images,
    networks,
    nodes,
    plain,
    secrets,
    services,
    swarm,
    system,
    tasks,
    volumes,
)

ALL_ROUTES = (
    *system.ROUTES,
    *auth.ROUTES,
    *swarm.ROUTES,
    *nodes.ROUTES,
    *services.ROUTES,
    *tasks.ROUTES,
    *secrets.ROUTES,
    *configs.ROUTES,
    *networks.ROUTES,
    *containers.ROUTES,
    *plain.ROUTES,
    *execs.ROUTES,
    *files.ROUTES,
    *images.ROUTES,
    *builds.ROUTES,
    *distribution.ROUTES,
    *volumes.ROUTES,
)
"""Every route there is."""
