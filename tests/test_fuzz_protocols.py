import json
import time
from collections.abc import Iterator
from itertools import count
from random import Random

import pytest

from bot.runtime import Runtime
from bot.settings import Settings
from corpus.words import Segmenter
from eval.bench.field import Field, Tally, standing
from eval.bench.forging import Forger, odd_json
from eval.bench.fuzz_protocols import confuse, confuse_clients, forge, strew
from eval.bench.senders import Request, senders
from eval.bench.wire import Reply
from index.database import Database
from index.testing import CharEmbedder

SEED = 20_240_229


@pytest.fixture(scope="module")
def field(segmenter: Segmenter) -> Iterator[Field]:
    def opened(chosen: Settings) -> Runtime:
        return Runtime(chosen, Database(chosen.database), CharEmbedder(""), segmenter)

    with standing(opened) as made:
        yield made


def test_what_no_platform_has_signed_is_refused_in_the_same_words(field: Field) -> None:
    tally = forge(field, full=False, seed=SEED)
    assert tally.complaints == []
    assert tally.statuses[401] > 100


def test_nothing_reads_or_logs_a_body_that_nobody_signed(field: Field) -> None:
    tally = strew(field)
    assert tally.complaints == []
    assert tally.statuses[401] > 90
    assert tally.statuses[413] == 12  # 30 MB, with and without a signature, to six channels


def test_what_is_signed_and_makes_no_sense_is_never_an_error_of_ours(field: Field) -> None:
    tally = confuse(field, full=False, seed=SEED)
    assert tally.complaints == []
    assert tally.statuses[400] > 50


def test_clients_that_make_no_sense_are_never_an_error_of_ours(field: Field) -> None:
    tally = confuse_clients(field, full=False, seed=SEED)
    assert tally.complaints == []
    assert tally.statuses[200] > 5
    assert tally.statuses[401] > 5


@pytest.mark.parametrize("name", ["slack", "feishu", "dingtalk", "wecom", "wecom bot", "webhook"])
def test_what_a_platform_signs_is_taken(field: Field, name: str) -> None:
    (sender,) = (each for each in field.senders if each.name == name)
    message = sender.asked(9_000)
    assert field.wire.ask(sender.signed(message, time.time())).status in {200, 202}
    assert field.wire.ask(sender.signed(message, time.time() - 310)).status == 401


ODD: tuple[object, ...] = (
    "\ud800",
    "\0",
    10**400,
    -(10**400),
    2**63,
    1e308,
    "x" * 5000,
    True,
    [],
    {},
    None,
)


@pytest.fixture(scope="module")
def moments() -> Iterator[float]:
    """Times of some minutes ago, in seconds, no two the same and none that another test uses."""
    return (at / 1000 for at in count(int(time.time() - 200) * 1000))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("feishu", "event sender sender_id open_id"),  # half a character went to the database
        ("dingtalk", "senderStaffId"),  # likewise
        ("dingtalk", "robotCode"),  # likewise
        ("dingtalk", "sessionWebhookExpiredTime"),  # 400 digits became a float
    ],
)
def test_no_value_of_a_signed_field_is_an_error_of_ours(
    field: Field, moments: Iterator[float], name: str, place: str
) -> None:
    (sender,) = (each for each in field.senders if each.name == name)
    *above, last = place.split()
    for number, odd in enumerate(ODD):
        message = json.loads(sender.asked(50_000 + number))
        holder = message
        for key in above:
            holder = holder[key]
        holder[last] = odd
        request = sender.signed(json.dumps(message).encode(), next(moments))
        assert field.wire.ask(request).status in {200, 400}, odd


def test_every_forgery_differs_from_what_was_signed_or_is_known_to_be_the_same() -> None:
    for sender in senders("阿花？", "http://127.0.0.1:1"):
        right = sender.signed(sender.asked(1), 1_700_000_000)
        forger = Forger(sender, [Request("/", headers=((b"x", b"y"),))], Random(1), 1.7e9)
        forged = [forger.forged(right) for _ in range(500)]
        assert all(one != right or forger.is_the_same(right, one) for one in forged)
        assert sum(not forger.is_the_same(right, one) for one in forged) > 400


def test_odd_json_is_another_one_and_the_same_for_a_seed() -> None:
    good = {"a": {"b": [1, 2]}, "c": "d"}
    made = [odd_json({"a": {"b": [1, 2]}, "c": "d"}, Random(n)) for n in range(200)]
    assert made == [odd_json({"a": {"b": [1, 2]}, "c": "d"}, Random(n)) for n in range(200)]
    assert len(set(made)) > 100
    assert good == {"a": {"b": [1, 2]}, "c": "d"}


def test_a_complaint_makes_a_figure_that_did_not_hold() -> None:
    tally = Tally()
    tally.note(Reply(401, "", b""), "", "fine")
    assert tally.figure("R35", "requests", 0).held
    tally.note(Reply(500, "", b"oh"), "unexpected", "this one")
    figure = tally.figure("R35", "requests", 0)
    assert not figure.held
    assert figure.what == "2 requests"
    assert "1 wrong (401: 1, 500: 1); first: unexpected: 500 b'oh' to 'this one'" in figure.value
