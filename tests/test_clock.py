"""Times are UTC wherever the machine is, deadlines do not follow the clock, and 2038 is a year."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from bot.channels.jobs import Jobs, Message
from bot.channels.outbox import Outbox, delivery_json
from bot.channels.signing import check, signed
from bot.errors import SignatureError
from bot.llm.breaker import FAILURES, REST_SECONDS, Breaker
from index.database import Database, now, stamp

ROOT = Path(__file__).parents[1]
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LATER = datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC).timestamp()
"""The first second that a 32-bit counter does not know: 2^31."""

WRITES = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import text
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import cat_document
from corpus.words import Segmenter
from index.database import Database, now
from index.testing import CharEmbedder
settings = Settings(data=Path(sys.argv[1]))
database = Database(settings.database)
runtime = Runtime(settings, database, CharEmbedder(""), Segmenter(Path(sys.argv[1])))
runtime.library().ingest([cat_document("猫")])
session = runtime.conversations.start("default")
with database.read() as reading:
    for query in (
        "SELECT changed_at FROM documents", "SELECT changed_at FROM collections",
        "SELECT started_at FROM sessions", "SELECT used_at FROM sessions",
    ):
        print(reading.scalar(text(query)))
"""


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "America/St_Johns"])
def test_what_is_stored_is_utc_in_every_time_zone(zone: str, tmp_path: Path) -> None:
    before = now()
    run = subprocess.run(
        [sys.executable, "-c", WRITES, tmp_path],
        env={**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    times = run.stdout.split()
    assert len(times) == 4
    for time in times:
        assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", time)
        assert before <= time <= now()


def test_only_what_is_stored_signed_or_shown_asks_the_clock_on_the_wall() -> None:
    """Deadlines ask a clock that never jumps: `time.monotonic` or that of the event loop."""
    waits = re.compile(r"(timeout|deadline|until|_seconds)\w*\s*=.*(time\.time\(|datetime\.now)")
    zoneless = re.compile(r"datetime\.now\(\)|fromtimestamp\([^,()]*(\([^()]*\))?\)|utcnow|today\(")
    for package in ("corpus", "index", "bot"):
        for path in (ROOT / package).rglob("*.py"):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                assert not waits.search(line), f"{path}:{number}: {line}"
                assert not zoneless.search(line), f"{path}:{number}: {line}"


def test_the_year_2038_is_a_year_like_any_other(tmp_path: Path) -> None:
    assert stamp(datetime.fromtimestamp(LATER, UTC)) == "2038-01-19T03:14:08Z"
    assert stamp(datetime.fromtimestamp(LATER - 1, UTC)) < "2038-01-19T03:14:08Z"
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    jobs = Jobs(database, clock=lambda: LATER + 10)
    assert jobs.accept(Message("feishu", "1", "chat", "问题", {}))
    assert not jobs.accept(Message("feishu", "1", "chat", "问题", {}))
    job = jobs.take("feishu")
    assert job
    assert job.accepted_at == LATER + 10
    assert jobs.take("feishu") is None, "it is claimed for a while"
    jobs.close(job.message, "done")
    outbox = Outbox(database, {}, clock=lambda: LATER + 10)
    with database.write() as session:
        outbox.reply(session, "crm", {"turn_id": "1"})
    (delivery,) = outbox.log()
    assert delivery_json(delivery)["created_at"] == "2038-01-19T03:14:18Z"
    database.close()


def test_a_signature_of_2038_holds_then_and_not_an_hour_earlier_or_later() -> None:
    headers = Headers(signed(SECRET, "msg_1", "{}", LATER))
    assert check(headers, b"{}", [SECRET], LATER + 299) == "msg_1"
    for jump in (-3600, 3600):
        with pytest.raises(SignatureError):
            check(headers, b"{}", [SECRET], LATER + jump)


def test_a_breaker_goes_by_the_clock_that_it_is_given() -> None:
    at = [1000.0]
    breaker = Breaker(clock=lambda: at[0])
    for _ in range(FAILURES):
        breaker.failed()
    assert breaker.is_open
    assert not breaker.admits()
    at[0] += REST_SECONDS
    assert breaker.admits()
    breaker.succeeded()
    assert not breaker.is_open
