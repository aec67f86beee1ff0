"""What must not get into a log: secrets, and what tells who somebody is."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.settings import Settings

HIDDEN = "«…»"
_SHORTEST = 6
"""A secret of fewer characters would be found in words that are none."""

_HEADERS = (
    r"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-goog-api-key"
    r"|[a-z-]{0,40}signature|x-lark-request-nonce"
)
_NAMES = (
    r"[a-z_]{0,40}(?:token|secret|signature|password|passwd|api_?key|ticket)|key|sign|sig|nonce"
    r"|echostr|encrypt"
)
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.ASCII), shown)
    for pattern, shown in (
        # a header: in a dictionary, in a list of pairs, or as it is sent
        (rf"\b({_HEADERS})(['\"]?\s{{0,3}}[:=,]\s{{0,3}}b?['\"]?)[^\r\n'\"]+", rf"\1\2{HIDDEN}"),
        (rf"\b({_NAMES})=[^&\s'\"]+", rf"\1={HIDDEN}"),
        (rf"(['\"])({_NAMES})\1(\s{{0,3}}:\s{{0,3}})b?(['\"])[^'\"]*\4", rf"\1\2\1\3\4{HIDDEN}\4"),
        (r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", rf"\1 {HIDDEN}"),
        (r"\b(sk-|xox[a-z]-|xapp-|whsec_|wq_)[A-Za-z0-9_+/=-]{6,}", rf"\1{HIDDEN}"),
        (r"(://)[^/\s@'\"]{1,200}@", rf"\1{HIDDEN}@"),
        (r"\b[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}", HIDDEN),
        (r"(?<![0-9.])(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}(?![0-9])", HIDDEN),
        (r"(?<![0-9A-Za-z])\+[0-9](?:[ -]?[0-9]){7,14}(?![0-9])", HIDDEN),
    )
)


class Redactor:
    """Takes out of a text what must not be in a log."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know `secrets` by heart; others are known by what stands before them."""
        known = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        long = sorted((each for each in known if len(each) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long))) if long else None

    def clean(self, text: str) -> str:
        """Return `text` without it. Takes time in proportion to its length."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, shown in _PATTERNS:
            text = pattern.sub(shown, text)
        return text


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return every secret that the settings hold, the password of the database with them."""
    found = set(_secrets(settings))
    try:
        password = make_url(settings.database).password
    except ArgumentError:  # told when the database is opened
        password = None
    return frozenset(found | ({str(password)} if password else set()))


def _secrets(value: object) -> Iterable[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        yield from _secrets(tuple(value.values()))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _secrets(each)
