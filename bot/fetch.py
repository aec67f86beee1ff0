"""One page or file from an address, with limits on everything that its server decides."""

import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from importlib.metadata import version
from ipaddress import IPv6Address
from pathlib import PurePosixPath

import anyio
import httpx2
from anyio import to_thread

from bot.addresses import Reach
from bot.errors import OutwardError
from bot.outward import Outward
from bot.settings import Settings
from corpus.errors import Trouble, UnreadableSourceError
from corpus.origin import Origin
from corpus.sniff import KINDS, Kind

TOTAL_SECONDS = 60.0
REDIRECTS = 5

_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_BROKEN = re.compile(r"[\x00-\x20\x7f\\]")
_LONGEST = 2000
_PIECE = 65_536
_MOVED = frozenset({301, 302, 303, 307, 308})
_PAGE = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
_KINDS: dict[str, Kind] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
}
# Said of files that a server knows nothing of: then the name counts, and then the content.
_UNTOLD = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})


@dataclass(frozen=True, slots=True)
class Page:
    """What was fetched.

    Attributes:
        data: As it was before it was packed for the way.
        origin: Its last address, after every redirect, and what its server says of it.
    """

    data: bytes
    origin: Origin


async def fetched(settings: Settings, address: str) -> Page:
    """Fetch what is at an address, as far as the settings let it; see `fetch`."""
    reach = Reach.of(settings.fetch_hosts, settings.fetch_ports)
    async with await to_thread.run_sync(Outward) as outward:  # reads certificates
        return await fetch(outward, address, reach=reach, max_bytes=settings.max_upload_bytes)


async def fetch(
    outward: Outward,
    address: str,
    *,
    reach: Reach,
    max_bytes: int,
    seconds: float = TOTAL_SECONDS,
) -> Page:
    """Fetch what is at an address.

    Args:
        outward: Sends the requests.
        address: As somebody gave it: it may be anything.
        reach: Where the requests may go, redirects included.
        max_bytes: That it may have, packed or not.
        seconds: On the clock, for all of it.

    Raises:
        UnreadableSourceError: With the reason; the address in it has no password.
    """
    url = _checked(address, address)
    try:
        with anyio.fail_after(seconds):
            for _ in range(REDIRECTS + 1):
                async with outward.request("GET", url, _headers(), reach=reach) as response:
                    if response.status_code not in _MOVED:
                        return await _page(url, response, max_bytes)
                    url = _next(url, response)
        raise _error(url, f"more than {REDIRECTS} redirects", "refused")
    except OutwardError as error:
        raise _error(url, str(error), error.code) from error
    except TimeoutError as error:
        raise _error(url, f"it takes more than {seconds:g} seconds", "slow") from error


def _headers() -> dict[str, str]:
    return {
        "user-agent": f"wenqu/{version('wenqu')}",
        "accept": "text/html, text/markdown, text/plain, application/pdf, */*;q=0.5",
        "accept-encoding": "gzip",  # others unpack without a limit
    }


def _error(url: httpx2.URL, reason: str, trouble: Trouble) -> UnreadableSourceError:
    return UnreadableSourceError(str(url), reason, trouble=trouble)


def _checked(address: str, shown: str) -> httpx2.URL:
    """Return an address that can be asked, without its fragment.

    Args:
        address: Whole.
        shown: What to call it if it cannot.
    """
    with suppress(httpx2.InvalidURL, UnicodeError):
        url = httpx2.URL("" if _BROKEN.search(address) else address[: _LONGEST + 1])
        if url.userinfo:
            raise _error(url.copy_with(userinfo=b""), "a user name or password in it", "address")
        host = url.raw_host.decode("ascii", "replace")
        right = _HOST.fullmatch(host) or _is_ipv6(host)
        if url.scheme in {"http", "https"} and right and len(address) <= _LONGEST:
            return url.copy_with(fragment=None)
    reason = "an address begins with http:// or https://, and the name of a host comes next"
    plain = shown[:_LONGEST].encode(errors="backslashreplace").decode()
    raise UnreadableSourceError(plain, reason, trouble="address")


def _is_ipv6(host: str) -> bool:
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _next(url: httpx2.URL, response: httpx2.Response) -> httpx2.URL:
    location = response.headers.get("location", "")
    try:
        return _checked(str(url.join(location)), str(url))
    except (httpx2.InvalidURL, UnicodeError):
        raise _error(url, "it redirects to what is no address", "address") from None


async def _page(url: httpx2.URL, response: httpx2.Response, max_bytes: int) -> Page:
    if response.status_code not in _PAGE:
        raise _error(url, f"its server says HTTP {response.status_code}", "refused")
    said = Message()
    said["content-type"] = response.headers.get("content-type", "")
    kind = _kind(url, said.get_content_type() if said["content-type"] else "")
    charset = said.get_content_charset()
    data = await _body(url, response, max_bytes)
    return Page(data, Origin(str(url), kind, max_bytes, charset=charset))


def _kind(url: httpx2.URL, media_type: str) -> Kind | None:
    if media_type in _KINDS:
        return _KINDS[media_type]
    if media_type not in _UNTOLD:
        raise _error(
            url, f"its server says that it is {media_type}, which is not read", "unsupported"
        )
    by_name = KINDS.get(PurePosixPath(url.path).suffix.lower())
    return by_name or ("text" if media_type == "text/plain" else None)


async def _body(url: httpx2.URL, response: httpx2.Response, max_bytes: int) -> bytes:
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in {"identity", "gzip", "x-gzip", ""}:
        raise _error(
            url, f"its server packs it as {packing[:20]}, which was not asked for", "damaged"
        )
    unpacked = _Gzip() if "gzip" in packing else None
    data = bytearray()
    packed = 0
    async for piece in response.aiter_raw(_PIECE):
        packed += len(piece)
        room = max_bytes + 1 - len(data)
        try:
            data += unpacked.take(piece, room) if unpacked else piece
        except zlib.error:
            raise _error(url, "it is packed wrongly", "damaged") from None
        if max(packed, len(data)) > max_bytes:
            raise _error(url, f"more than {max_bytes} bytes", "too_large")
    if unpacked and not unpacked.ended:
        raise _error(url, "it breaks off", "damaged")
    return bytes(data)


class _Gzip:
    """Unpacks what comes in pieces, and never more of it than there is room for."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def ended(self) -> bool:
        """Whether the end was seen."""
        return self._member.eof

    def take(self, piece: bytes, room: int) -> bytes:
        """Return what `piece` unpacks to, at most `room` bytes of it.

        Raises:
            zlib.error: It is no gzip.
        """
        data = b""
        while piece and len(data) < room:
            if self._member.eof:  # one packed file after the other is a packed file too
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            data += self._member.decompress(piece, room - len(data))
            piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return data
