"""The server's side of a connection: the HTTP library's, but for what is answered to errors of HTTP itself (`malformed.py`)."""

from __future__ import annotations

from aiohttp import web

from hivelet.api.call import reply
from hivelet.api.malformed import describe_malformed


class Connection(web.RequestHandler):
    """See the module."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer, after which the connection is closed.

        Raises:
            ConnectionError: a part of another answer is on its way already.
        """
        super().handle_error(request, status, exc, message)
        code, said = describe_malformed(status, exc, message or "")
        answer = reply({"message": said}, status=code)
        answer.force_close()
        return answer
