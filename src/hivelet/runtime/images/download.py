"""What lies at an address of the web, as bytes: archives to import, contexts to build from."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp

from hivelet.errors import InvalidParameter, NotFound, System, Unavailable

_CHUNK = 1 << 18
_CONNECT_PATIENCE = 30.0
_SILENCE = 60.0
"""Seconds without a byte after which a download is given up."""


async def download(address: str) -> AsyncGenerator[bytes, None]:
    """The bytes at `address`, as they come.

    Raises:
        InvalidParameter: it is no address of http or https.
        NotFound: there is nothing at it.
        Unavailable: nobody answers, or the answer breaks off.
    """
    if not address.startswith(("http://", "https://")):
        raise InvalidParameter(f"{address}: only http:// and https:// addresses are downloaded")
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_PATIENCE, sock_read=_SILENCE)
    try:
        # What is compressed stays so: it is unpacked with the same care as all other archives.
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.get(address, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status in {404, 410}:
                raise NotFound(
                    f"there is nothing at {address}: {response.status} {response.reason}"
                )
            if response.status != 200:
                raise System(f"{address} answers {response.status} {response.reason}")
            async for piece in response.content.iter_chunked(_CHUNK):
                yield piece
    except aiohttp.InvalidURL as error:
        raise InvalidParameter(f"{address} is no address") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(
            f"{address} can't be downloaded: {error or 'no answer in time'}"
        ) from error
