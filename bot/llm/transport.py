"""The connection to a language model, which may send anything: so many bytes and no more."""

from collections.abc import AsyncIterator

import httpx2

MOST_BYTES = 8_000_000
"""Of one response. 4,000 characters take about a third of it, at one character an event."""


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Breaks off a response that is too large, or packed so that its size does not show."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request.

        Raises:
            httpx2.RemoteProtocolError: The response is compressed, which was not asked for.
        """
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            message = "the response is compressed"
            raise httpx2.RemoteProtocolError(message)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101  # it is async
        response.stream = _Bounded(response.stream)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                message = f"the response has more than {MOST_BYTES} bytes"
                raise httpx2.RemoteProtocolError(message)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
