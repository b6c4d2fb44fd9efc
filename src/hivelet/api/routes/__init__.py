"""The routes of the API, one file for each of Docker's nouns (secrets and configs share one); each ends in its own flat table `ROUTES`."""

from __future__ import annotations

from hivelet.api.openapi.document import describe
from hivelet.api.router import Route
from hivelet.api.routes import (
    auth,
    backup,
    builds,
    cluster_files,
    containers,
    description,
    distribution,
    execs,
    files,
    images,
    networks,
    nodes,
    plain,
    services,
    swarm,
    system,
    tasks,
    volumes,
)

_DOCKERS = (
    *system.ROUTES,
    *auth.ROUTES,
    *swarm.ROUTES,
    *nodes.ROUTES,
    *services.ROUTES,
    *tasks.ROUTES,
    *cluster_files.ROUTES,
    *networks.ROUTES,
    *containers.ROUTES,
    *plain.ROUTES,
    *execs.ROUTES,
    *files.ROUTES,
    *images.ROUTES,
    *builds.ROUTES,
    *distribution.ROUTES,
    *volumes.ROUTES,
    *backup.ROUTES,
)
"""Docker's, in the order of the documentation."""

ALL_ROUTES: tuple[Route, ...] = (*_DOCKERS, *description.routes(describe(_DOCKERS)))
"""Every route there is."""
