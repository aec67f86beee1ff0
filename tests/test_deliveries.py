import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.api.deliveries import DeliveriesReply, DeliveryReply
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import client_of, problem_in
from corpus.words import Segmenter
from index.database import Database
from index.testing import CharEmbedder

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
KEY = "a-key-that-nobody-guesses"
PATH = "/api/admin/deliveries"


@pytest.fixture
def runtime(tmp_path: Path, segmenter: Segmenter) -> Iterator[Runtime]:
    crm = {"secret": SECRET, "events": "answer.created"}
    webhooks = {"crm": {**crm, "url": "https://crm.invalid/secret-path"}}
    given = {"data": tmp_path / "var", "webhooks": webhooks, "admin_key": KEY}
    settings = Settings.model_validate(given)
    made = Runtime(settings, Database(settings.database), CharEmbedder(""), segmenter)
    with made.database.write() as session:
        for number in range(5):
            made.outbox.tell(session, "answer.created", {"session_id": "s", "turn_id": str(number)})
    for _ in range(5):  # nothing is left for the courier of the application
        delivery = made.outbox.take("crm")
        assert delivery
        made.outbox.give_up(delivery, "HTTP 500", status=500)
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with client_of(runtime) as made:
        made.headers["authorization"] = f"Bearer {KEY}"
        yield made


def test_the_log_is_read_page_by_page(client: TestClient) -> None:
    ids, before = [], None
    while True:
        page = client.get(PATH, params={"limit": 2, **({"before": before} if before else {})})
        DeliveriesReply.model_validate(page.json())
        ids += [each["id"] for each in page.json()["deliveries"]]
        before = page.json()["next"]
        if before is None:
            break
    assert ids == [5, 4, 3, 2, 1]
    assert "secret" not in page.text


def test_the_log_is_read_by_state_and_endpoint(client: TestClient) -> None:
    assert len(client.get(PATH, params={"state": "dead"}).json()["deliveries"]) == 5
    assert client.get(PATH, params={"state": "waiting"}).json()["deliveries"] == []
    assert client.get(PATH, params={"endpoint": "hr"}).json()["deliveries"] == []
    problem_in(client.get(PATH, params={"state": "lost"}), 422, "invalid_request")


def test_a_dead_delivery_is_begun_anew(client: TestClient, runtime: Runtime) -> None:
    response = client.post(f"{PATH}/3/replay")
    DeliveryReply.model_validate(response.json())
    shown = response.json()
    assert (shown["id"], shown["state"], shown["tries"]) == (3, "waiting", 0)
    assert shown["next_try_at"] <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert {each.fate for each in runtime.outbox.log() if each.position != 3} == {"dead"}
    problem_in(client.post(f"{PATH}/99/replay"), 404, "delivery_not_found")


def test_nobody_else_sees_or_does_anything(client: TestClient) -> None:
    del client.headers["authorization"]
    for response in (client.get(PATH), client.post(f"{PATH}/3/replay")):
        assert response.status_code == 401
