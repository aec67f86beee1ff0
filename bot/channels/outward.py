"""Events to addresses that somebody set up."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import anyio
import httpx2

from bot.addresses import EVERYWHERE, PUBLIC
from bot.errors import OutwardError, PlatformError
from bot.outward import TOTAL_SECONDS, Outward


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request was answered.

    Attributes:
        status: Of HTTP.
        retry_after: As it was said: seconds or a date; "" if nothing was.
    """

    status: int
    retry_after: str = ""

    def retry_seconds(self, now: float) -> float:
        """Return for how long not to try again, 0 if nothing readable was said."""
        if self.retry_after.isascii() and self.retry_after.isdecimal():
            return float(self.retry_after[:9])
        try:
            return max(0.0, parsedate_to_datetime(self.retry_after).timestamp() - now)
        except (ValueError, OverflowError):
            return 0.0


async def post(
    outward: Outward, url: str, body: bytes, headers: Mapping[str, str], *, private: bool
) -> Outcome:
    """Send a body, and read nothing but the head of the response.

    Args:
        outward: Sends.
        url: Checked when it was set up.
        body: JSON.
        headers: Beside the usual ones.
        private: Whether it may go to the own network, and without TLS.

    Raises:
        PlatformError: There is no answer, or it may not go there.
    """
    reach = EVERYWHERE if private else PUBLIC
    whole = {**headers, "content-type": "application/json"}
    try:
        with anyio.fail_after(TOTAL_SECONDS):
            async with outward.request(
                "POST", httpx2.URL(url), whole, reach=reach, body=body
            ) as response:
                return Outcome(response.status_code, response.headers.get("retry-after", ""))
    except OutwardError as error:
        if error.code == "closed":
            raise PlatformError(str(error), arrived=False) from None
        raise PlatformError(str(error), arrived=True, retry_seconds=0) from None
    except TimeoutError:
        message = "no answer: TimeoutError"
        raise PlatformError(message, arrived=True, retry_seconds=0) from None
