"""The endpoints. Each answers with the name of the replica that ran it, so load balancing can be seen."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation import archive, jobs
from annotation.parameters import BadParameter, parse_seconds, parse_text

REPLICA = socket.gethostname()
STARTED = datetime.now(UTC).isoformat(timespec="milliseconds")
# What a caller of /label waits for the answer, beyond the seconds that were asked of the worker.
PATIENCE = 10.0
LONGEST_WAIT = 10.0
LONGEST_TASK = 60.0
NEWEST = 20

View = Callable[[HttpRequest], HttpResponseBase]


def endpoint(view: View) -> View:
    """A read-only view that no cache may answer; a bad parameter is a 400 that says what is wrong."""

    @never_cache
    @require_safe
    @functools.wraps(view)
    def answer(request: HttpRequest) -> HttpResponseBase:
        try:
            return view(request)
        except BadParameter as error:
            return failure(400, str(error))

    return answer


def as_json(facts: dict[str, Any], status: int = 200) -> JsonResponse:
    """An answer in JSON that people can read too, whatever they write in."""
    return JsonResponse(facts, status=status, json_dumps_params={"ensure_ascii": False})


def failure(status: int, message: str, **more: Any) -> JsonResponse:
    """An error in words, with the replica that met it."""
    return as_json({"error": message, "replica": REPLICA} | more, status)


@endpoint
def index(request: HttpRequest) -> HttpResponseBase:
    """Who answered, and from which address the request came: as a page, as JSON, or as one line of text.

    With `?close=1` the connection ends with the answer, so that the next request is balanced anew.
    """
    facts = {"replica": REPLICA, "client": request.META["REMOTE_ADDR"], "started": STARTED}
    preferred = request.get_preferred_type(["text/html", "application/json", "text/plain"])
    # curl and most test clients accept anything: for them a line to read beats a page.
    if request.headers.get("Accept", "*/*") == "*/*" or preferred == "text/plain":
        line = "replica {replica} answered {client}\n".format_map(facts)
        response: HttpResponse = HttpResponse(line, content_type="text/plain; charset=utf-8")
    elif preferred == "application/json":
        response = as_json(facts)
    else:
        response = render(request, "annotation/index.html", facts)
    answer: HttpResponseBase = response
    if request.GET.get("close") == "1":
        # Its length is not told beforehand, so the server ends it by closing.
        answer = StreamingHttpResponse([response.content], content_type=response["Content-Type"])
    answer["Vary"] = "Accept"
    return answer


@endpoint
def wait(request: HttpRequest) -> HttpResponseBase:
    """Stand for a request that waits on a database or another service."""
    seconds = parse_seconds(request.GET, default=0.1, limit=LONGEST_WAIT)
    time.sleep(seconds)
    return as_json({"replica": REPLICA, "waited": seconds})


@endpoint
def label(request: HttpRequest) -> HttpResponseBase:
    """Have a Celery worker annotate `text`; 503 without RabbitMQ, 504 without a worker."""
    text = parse_text(request.GET)
    seconds = parse_seconds(request.GET, default=0.0, limit=LONGEST_TASK)
    try:
        answer = jobs.ask_worker(text, seconds=seconds, patience=seconds + PATIENCE)
    except jobs.BrokerUnreachable as error:
        return failure(503, str(error))
    except jobs.NoWorkerAnswered as error:
        return failure(504, str(error), task=error.task_id)
    return as_json({"text": text, "replica": REPLICA} | answer)


@endpoint
def labels(request: HttpRequest) -> HttpResponseBase:
    """What the database has of the workers' labels; 404 in a project without one, 503 where it does not answer."""
    if not archive.has_database():
        return failure(404, "this project has no database; its production variant has one")
    try:
        return as_json({"replica": REPLICA} | archive.newest(NEWEST))
    except archive.DatabaseUnreachable as error:
        return failure(503, str(error))


@endpoint
def healthz(request: HttpRequest) -> HttpResponseBase:
    """200 while this process serves; with `?deep=1` only if all that it needs can be reached too."""
    facts: dict[str, Any] = {"status": "ok", "replica": REPLICA}
    if request.GET.get("deep") == "1":
        try:
            jobs.check_broker()
        except jobs.BrokerUnreachable as error:
            return failure(503, str(error), broker="unreachable")
        facts["broker"] = "ok"
        if archive.has_database():
            try:
                archive.check_database()
            except archive.DatabaseUnreachable as error:
                return failure(503, str(error), database="unreachable")
            facts["database"] = "ok"
    return as_json(facts)
