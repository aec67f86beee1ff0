import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from bot.app import create_app
from bot.channels.slack_fake import APP_TOKEN, SIGNING_SECRET, FakeSlack
from bot.channels.slack_gate import check_signature
from bot.channels.slack_testing import direct, envelope, signed, slack_settings, until
from bot.configuration import Configuration
from bot.errors import SettingsError, SignatureError
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of, problem_in
from bot.wire import Json
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

EVENT = json.dumps(envelope(direct(CAT_QUESTION, "1.1")), ensure_ascii=False).encode()
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CANARY = "金丝雀"


@pytest.fixture(scope="module")
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as made:
        yield made


@pytest.fixture(scope="module")
def runtime(
    tmp_path_factory: pytest.TempPathFactory, segmenter: Segmenter, slack: FakeSlack
) -> Iterator[Runtime]:
    chosen = slack_settings(tmp_path_factory.mktemp("slack"), slack)
    made = Runtime(chosen, Database(chosen.database), CharEmbedder(""), segmenter)
    made.library().ingest([cat_document("手册/猫")])
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(runtime: Runtime) -> Iterator[TestClient]:
    with client_of(runtime) as made:
        yield made


def post(client: TestClient, body: bytes, kind: str = JSON, at: int | None = None) -> Response:
    return client.post(
        "/slack/events", content=body, headers={"content-type": kind, **signed(body, at)}
    )


def jobs(runtime: Runtime) -> int:
    with runtime.database.read() as session:
        return session.scalar(text("SELECT count(*) FROM channel_jobs")) or 0


# The first is published by Slack; the others were worked out by hand from its description.
COMMAND = (
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    "&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    "%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
CHINESE = (
    '{"type":"event_callback","event_id":"Ev0TEST","team_id":"T0TEST","event":{'
    '"type":"app_mention","channel":"C0TEST","ts":"1700000000.000100","user":"U0TEST",'
    '"text":"<@U0BOT> 什么是容器？"}}'
)
VECTORS = [
    (
        "8f742231b10e8888abcd99yyyzzz85a5",
        "1531420618",
        COMMAND,
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    ),
    (
        "wenqu-slack-test-secret",
        "1700000000",
        "command=%2Fask&text=hi&team_id=T0TEST",
        "v0=169b491d4ffc6de35c07e45f50593357ba8180c0cab24186e9a5b245fac98838",
    ),
    (
        "wenqu-slack-test-secret",
        "1700000000",
        CHINESE,
        "v0=875987c70c16c21cad9a47873663807e8e195fcaf5cc7e9971ce61b1a22b1d9e",
    ),
]


@pytest.mark.parametrize(("secret", "at", "body", "signature"), VECTORS)
def test_published_signatures_hold_for_five_minutes(
    secret: str, at: str, body: str, signature: str
) -> None:
    headers = Headers({"x-slack-request-timestamp": at, "x-slack-signature": signature})
    for shift in (-300, -299, 0, 299, 300):
        check_signature(headers, body.encode(), secret, int(at) + shift)
    for shift in (-301, 301):
        with pytest.raises(SignatureError):
            check_signature(headers, body.encode(), secret, int(at) + shift)


def changed(value: bytes) -> Iterator[bytes]:
    """Every byte in turn as another one."""
    for place, byte in enumerate(value):
        for other in (byte ^ 1, byte ^ 0x20):
            yield value[:place] + bytes([other]) + value[place + 1 :]


def forged() -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    """Bodies and headers that Slack did not send, or sent at another time."""
    good = {name.encode(): value.encode() for name, value in signed(EVENT).items()}
    stamp, sign = b"x-slack-request-timestamp", b"x-slack-signature"
    at, signature = good[stamp], good[sign]
    yield from ((EVENT, [(stamp, at), (sign, other)]) for other in changed(signature))
    yield from ((EVENT, [(stamp, other), (sign, signature)]) for other in changed(at))
    yield from ((other, [*good.items()]) for other in changed(EVENT))
    now = int(at)
    for shift in (-86_400, -301, 3600, 86_400):
        old = {name.encode(): value.encode() for name, value in signed(EVENT, now + shift).items()}
        yield EVENT, [*old.items()]
        yield EVENT, [(stamp, at), (sign, old[sign])]
    odd_times = (
        b"", b"abc", b"-1", b"1e9", b"nan", b"1.5", b"9" * 400, at + b"000", b" " + at[1:],
        at + b".0", b"+" + at[1:], "１７００００００００".encode(), b"\xff" * 10, b"0x" + at[2:],
    )  # fmt: skip
    yield from ((EVENT, [(stamp, other), (sign, signature)]) for other in odd_times)
    odd_signatures = (
        b"", b"v0=", signature[:-1], signature + b"0", signature.upper(), signature[3:],
        b"v1=" + signature[3:], signature + b" ", signature + b"," + signature, b"\xff" * 67,
        "ｖ0=".encode() + signature[3:], b"v0=" + b"0" * 64, b"v0=" + b"0" * 10_000,
    )  # fmt: skip
    yield from ((EVENT, [(stamp, at), (sign, other)]) for other in odd_signatures)
    yield EVENT, []
    yield EVENT, [(stamp, at)]
    yield EVENT, [(sign, signature)]
    yield EVENT, [*good.items(), (sign, signature)]
    yield EVENT, [*good.items(), (sign, b"v0=" + b"0" * 64)]
    yield EVENT, [(sign, b"v0=" + b"0" * 64), *good.items()]
    yield EVENT, [*good.items(), (stamp, at)]
    yield EVENT, [*good.items(), (stamp, b"1")]
    for body in (
        b"",
        EVENT + b" ",
        b" " + EVENT,
        EVENT[:-1],
        b"\xff",
        json.dumps(json.loads(EVENT)).encode(),
    ):
        yield body, [*good.items()]
    for odd in (b"{", b"[1]", b"[" * 100_000, b"ssl_check=1", b"payload={", b"\x1f\x8b\x08"):
        yield odd, [*good.items()]
        yield odd, []


def test_what_is_not_signed_right_and_now_is_refused_whatever_it_is(
    client: TestClient, runtime: Runtime, slack: FakeSlack
) -> None:
    refusals = set()
    count = 0
    for body, headers in forged():
        kind = (b"content-type", FORM.encode() if b"=" in body[:12] else JSON.encode())
        response = client.post("/slack/events", content=body, headers=[kind, *headers])
        assert response.status_code == 401, (body[:80], headers)
        refusals.add(response.text)
        count += 1
    assert len(refusals) == 1
    assert json.loads(refusals.pop())["code"] == "bad_signature"
    assert count > 600
    assert jobs(runtime) == 0
    assert slack.messages == {}


def test_the_table_begins_from_a_request_that_is_taken(
    client: TestClient, runtime: Runtime, slack: FakeSlack
) -> None:
    before = jobs(runtime)
    for shift in (-299, 299):
        assert post(client, EVENT, at=int(time.time()) + shift).status_code == 200
    assert jobs(runtime) == before + 1
    until(lambda: slack.answers("D1"))


def test_a_signature_of_another_secret_is_refused() -> None:
    at = str(int(time.time()))
    check = Headers({**signed(EVENT), "x-slack-request-timestamp": at})
    with pytest.raises(SignatureError):
        check_signature(check, EVENT, SIGNING_SECRET + "x", int(at))


def test_nothing_of_an_unsigned_body_is_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps(envelope(direct(CANARY, "9.9")), ensure_ascii=False).encode()
    assert client.post("/slack/events", content=body).status_code == 401
    assert CANARY not in caplog.text


def test_a_body_that_is_too_large_is_refused_before_its_signature(client: TestClient) -> None:
    problem_in(post(client, b"x" * 1_000_001), 413, "too_large")


def test_the_address_of_the_endpoint_is_proved_by_its_signature(client: TestClient) -> None:
    body = b'{"type":"url_verification","challenge":"abc","token":"t"}'
    response = post(client, body)
    assert (response.status_code, response.json()) == (200, {"challenge": "abc"})
    problem_in(client.post("/slack/events", content=body), 401, "bad_signature")


UNNAMED = '{"type":"block_actions","actions":[{"action_id":"fb_up"}]}'
NESTED = b'{"a":' * 5000 + b"1" + b"}" * 5000
ODD = [
    (b"{", JSON, 400), (b"[]", JSON, 400), (b"null", JSON, 400), (b'"x"', JSON, 400),
    (b"1", JSON, 400), (b"[" * 5000, JSON, 400), (NESTED, JSON, 400), (b"\xff", JSON, 400),
    (b"", JSON, 400), (b"", FORM, 400), (b"payload={", FORM, 400), (b"payload=[1]", FORM, 400),
    (b"\xff=1", FORM, 400), (b"{}", JSON, 200), (b'{"type":"nobody_knows"}', JSON, 200),
    (b'{"type":"event_callback"}', JSON, 200), (b"ssl_check=1&token=x", FORM, 200),
    (b'{"type":"event_callback","event":[]}', JSON, 400),
    (b'{"type":"event_callback","event":{"type":5}}', JSON, 200),
    (b'{"type":"event_callback","event":{"type":"app_mention"}}', JSON, 400),
    (b'{"type":"event_callback","authorizations":5,"event":{}}', JSON, 400),
    (b'{"type":"event_callback","authorizations":[5],"event":{}}', JSON, 400),
    (b"command=%2Fask&text=x", FORM, 400),
    (b"payload=" + quote('{"type":"block_actions","actions":[]}').encode(), FORM, 400),
    (b"payload=" + quote('{"type":"block_actions","actions":[{}]}').encode(), FORM, 400),
    (b"payload=" + quote(UNNAMED).encode(), FORM, 400),
    (EVENT.replace(b'"1.1"', b'"1"'), JSON, 400),
    (EVENT.replace(b'"D1"', b'"D 1"'), JSON, 400),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status"), ODD)
def test_what_is_signed_and_odd_is_refused_or_ignored(
    client: TestClient, runtime: Runtime, body: bytes, kind: str, status: int
) -> None:
    before = jobs(runtime)
    response = post(client, body, kind)
    assert response.status_code == status
    assert jobs(runtime) == before


NAMES = [
    "type", "event", "team_id", "team", "user", "channel", "actions", "authorizations", "view",
    "enterprise", "enterprise_id", "payload", "message", "action_id", "value", "text", "ts", "id",
    "is_enterprise_install", "event_callback", "app_mention", "block_actions", "command", "fb_up",
    "is_ext_shared_channel", "bot_id", "user_id", "response_url", "function_data",
    "bot_access_token",
    "item", "assistant_thread", "thread_ts", "subtype", "channel_type", "container", "callback_id",
]  # fmt: skip
WORDS = st.sampled_from(NAMES)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(["event_callback", "block_actions", "view_submission", "shortcut"])
ODD_BODIES = st.dictionaries(WORDS, ANY_JSON, max_size=6)


@given(body=ODD_BODIES, kind=KINDS, event=ANY_JSON, media_type=st.sampled_from([JSON, FORM]))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_signed_body_whatever_is_in_it_is_an_error_of_ours(
    client: TestClient, body: Json, kind: str, event: Json, media_type: str
) -> None:
    body = {**body, "type": kind, "event": event}
    raw = json.dumps(body)
    sent = f"payload={quote(raw)}" if media_type == FORM else raw
    assert post(client, sent.encode(), media_type).status_code in {200, 400}


def test_while_the_model_loads_slack_is_told_to_come_again(
    tmp_path: Path, segmenter: Segmenter, slack: FakeSlack
) -> None:
    chosen = slack_settings(tmp_path / "var", slack)
    loading, loaded = threading.Event(), threading.Event()

    def opened(_: Settings) -> Runtime:
        loading.wait(30)
        made = Runtime(chosen, Database(chosen.database), CharEmbedder(""), segmenter)
        made.library().ingest([cat_document("手册/猫")])
        return made

    body = json.dumps(envelope(direct(CAT_QUESTION, "1.1", channel="D7"))).encode()
    app = create_app(chosen, open_runtime=opened, on_loaded=lambda _: loaded.set())
    with TestClient(app) as client:
        try:
            response = post(client, body)
            problem_in(response, 503, "not_ready")
            assert int(response.headers["retry-after"]) > 0
            command = b"command=%2Fask&team_id=T1&channel_id=C1&user_id=U1&trigger_id=1&text=x"
            where = f"&response_url={quote(slack.response_url('x'))}".encode()
            told = post(client, command + where, FORM)
            assert (told.status_code, told.text[:4]) == (200, "服务刚刚")
        finally:
            loading.set()
        assert loaded.wait(30)
        assert post(client, body).status_code == 200
        until(lambda: slack.answers("D7"))


def test_there_is_no_endpoint_and_no_sdk_unless_it_is_set_up(client: TestClient) -> None:
    code = """
import sys
from starlette.testclient import TestClient
from bot.app import create_app
from bot.settings import Settings
app = create_app(Settings())
assert TestClient(app).post("/slack/events").status_code == 404
print(sorted({"slack_bolt", "slack_sdk", "aiohttp"} & {*sys.modules}))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr
    problem_in(client.post("/slack/events"), 401, "bad_signature")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"WENQU_SLACK_BOT_TOKEN": "xoxb-1"}, "set it and one of these"),
        ({"WENQU_SLACK_SIGNING_SECRET": "s"}, "set it and one of these"),
        ({"WENQU_SLACK_APP_TOKEN": "xapp-1"}, "set it and one of these"),
        (
            {"WENQU_SLACK_BOT_TOKEN": "xapp-1", "WENQU_SLACK_SIGNING_SECRET": "s"},
            "begins with xoxb-",
        ),
        (
            {"WENQU_SLACK_BOT_TOKEN": "xoxb-1", "WENQU_SLACK_APP_TOKEN": "xoxb-1"},
            "begins with xapp-",
        ),
        ({"WENQU_SLACK_API_URL": "http://evil.example/api/"}, "should match"),
    ],
)
def test_half_of_the_settings_are_refused_with_what_is_missing(
    tmp_path: Path, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        Configuration.load(environ, folder=tmp_path)
    assert not any(len(value) > 1 and value in str(error.value) for value in environ.values())


def test_either_way_of_getting_events_will_do(tmp_path: Path) -> None:
    bot = {"WENQU_SLACK_BOT_TOKEN": "xoxb-1"}
    for more in ({"WENQU_SLACK_SIGNING_SECRET": "s"}, {"WENQU_SLACK_APP_TOKEN": APP_TOKEN}):
        found = Configuration.load({**bot, **more}, folder=tmp_path)
        assert found.shown("slack_bot_token") == "**********"
