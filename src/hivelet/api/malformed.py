"""What is answered to that which is no HTTP, or more of it than is read: Docker's status codes, and a message as with any other error.

The HTTP library has one code and plain text for all of it. Docker has plain text too, which its clients show no better than JSON.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from hivelet.errors import InvalidParameter

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_CODES = (
    ("too many headers", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    ("invalid http version", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED),
    ("invalid `transfer-encoding`", HTTPStatus.NOT_IMPLEMENTED),
)
"""What the HTTP library says, and Docker's code for it."""
_WORDS = 200
"""Characters of the library's sentence that are passed on."""


def describe_malformed(status: int, error: BaseException | None, said: str) -> tuple[int, str]:
    """The code and the message for what the HTTP library found. Pure."""
    if status != HTTPStatus.BAD_REQUEST:
        return status, "hivelet failed at this request; its log says why"
    if isinstance(error, LineTooLong):
        limit = error.args[1]
        too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return too_large, f"the request line or a header is larger than {limit} bytes"
    # The library goes on to show the line, with a mark below the place.
    sentence = " ".join(said.partition("\n\n")[0].split()).rstrip(":")[:_WORDS]
    found = [code for words, code in _CODES if words in sentence.lower()]
    code = found[0] if found else HTTPStatus.BAD_REQUEST
    return code, f"malformed HTTP: {sentence or HTTPStatus.BAD_REQUEST.phrase}"


def check_target(request: web.BaseRequest) -> None:
    """Refuse what the HTTP library lets pass and Docker doesn't.

    Raises:
        InvalidParameter: the path or the query has a % that escapes nothing, or the request has no version.
    """
    if found := _BAD_ESCAPE.search(request.raw_path):
        raise InvalidParameter(f'invalid URL escape "{found[0]}"')
    if request.version < (1, 0):
        raise InvalidParameter("malformed HTTP: the request line has no version")
