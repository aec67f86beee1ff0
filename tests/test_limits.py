import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import httpx2
import pytest
from starlette.testclient import TestClient

from bot.api.limits import Limits, Rate, network
from bot.errors import RateLimitError
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, client_of, problem_in, serving


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def wait_of(rate: Rate, who: str = "a") -> int:
    try:
        rate.take(who)
    except RateLimitError as error:
        return error.retry_seconds
    return 0


def test_so_many_at_once_and_then_as_they_come_free() -> None:
    clock = Clock()
    rate = Rate(3, clock=clock)  # one each 20 s
    assert [wait_of(rate) for _ in range(5)] == [0, 0, 0, 20, 20]
    clock.now += 19
    assert wait_of(rate) == 1
    clock.now += 1
    assert [wait_of(rate), wait_of(rate)] == [0, 20]
    clock.now += 60
    assert [wait_of(rate) for _ in range(4)] == [0, 0, 0, 20]


@pytest.mark.parametrize("per_minute", [1, 7, 60, 997])
def test_who_waits_as_long_as_told_is_let_in_and_nobody_gets_more(per_minute: int) -> None:
    clock = Clock()
    rate = Rate(per_minute, clock=clock)
    taken = sum(not wait_of(rate) for _ in range(per_minute + 50))
    assert taken == per_minute
    for _ in range(20):
        wait = wait_of(rate)
        assert wait >= 1
        clock.now += wait
        assert not wait_of(rate)
        while not wait_of(rate):  # what came free while waiting, in whole seconds
            taken += 1
    assert taken <= per_minute + (clock.now - 1000) * per_minute / 60


def test_one_who_asks_too_often_harms_no_other() -> None:
    rate = Rate(2, clock=Clock())
    assert [wait_of(rate, "a") for _ in range(3)] == [0, 0, 30]
    assert [wait_of(rate, "b") for _ in range(2)] == [0, 0]


def test_no_limit_is_no_limit_and_remembers_nobody() -> None:
    rate = Rate(0)
    assert not any(wait_of(rate) for _ in range(1000))
    assert len(rate) == 0


def test_a_flood_of_addresses_takes_no_more_memory_than_allowed() -> None:
    rate = Rate(1, most=100, clock=Clock())
    for number in range(10_000):
        rate.take(f"address {number}")
    assert len(rate) == 100
    assert wait_of(rate, "address 9999")  # the last are remembered
    assert not wait_of(rate, "address 1")


def test_threads_get_no_more_than_one() -> None:
    rate = Rate(50, clock=Clock())
    start = threading.Barrier(8)

    def take() -> int:
        start.wait()
        return sum(not wait_of(rate) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: take(), range(8))) == 50


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
        ("x" * 300, "x" * 64),
    ],
)
def test_an_address_is_counted_with_its_network(host: str, counted: str) -> None:
    assert network(host) == counted


def rates(settings: Settings) -> list[bool]:
    """Whether keys, addresses and conversations are limited, by trying 2,000 times."""
    limits = Limits.of(settings)
    return [
        any(wait_of(rate) for _ in range(2000))
        for rate in (limits.keys, limits.addresses, limits.sessions)
    ]


def test_only_strangers_are_limited_unless_set_otherwise() -> None:
    assert rates(Settings()) == [False, False, False]
    assert rates(Settings(host="0.0.0.0")) == [True, True, True]
    assert rates(Settings(public_url="https://a.example")) == [True, True, True]
    assert rates(Settings(rate_per_minute=5)) == [True, True, False]
    assert rates(Settings(session_rate_per_minute=5)) == [False, False, True]
    off = Settings(host="0.0.0.0", rate_per_minute=0, session_rate_per_minute=0)
    assert rates(off) == [False, False, False]


@pytest.fixture
def limited(runtime: Runtime) -> Runtime:
    """Five a minute for each who asks, behind a proxy in 10.0.0.0/8 or on this machine."""
    update = {"rate_per_minute": 5, "trusted_proxies": ("10.0.0.0/8", "127.0.0.1")}
    runtime.settings = runtime.settings.model_copy(update=update)
    return runtime


SEARCH = {"q": "阿花"}


def test_one_too_many_is_told_when_to_come_back(limited: Runtime) -> None:
    with client_of(limited) as client:
        for _ in range(5):
            assert client.get("/api/search", params=SEARCH).status_code == 200
        refused = client.get("/api/search", params=SEARCH)
        said = problem_in(refused, 429, "rate_limited")
        seconds = said["retry_after"]
        assert refused.headers["retry-after"] == str(seconds)
        assert 1 <= seconds <= 12
        assert f"请 {seconds} 秒后再试" in said["detail"]
        assert f"try again in {seconds} s" in said["detail_en"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/").status_code == 200
        assert 'wenqu_refusals_total{reason="rate_limited"} 1.0' in client.get("/metrics").text


def test_one_too_many_costs_no_work(limited: Runtime) -> None:
    with client_of(limited) as client:
        for _ in range(5):
            client.get("/api/search", params=SEARCH)
        headers = {"content-type": "application/json"}
        refused = client.post("/api/chat", content=b"{", headers=headers)  # is not even read
        problem_in(refused, 429, "rate_limited")


def test_keys_are_counted_apart_wherever_they_come_from(limited: Runtime) -> None:
    tokens = [limited.keys.add(name, ["ask"])[1] for name in ("甲", "乙")]
    with client_of(limited) as client:

        def statuses(token: str) -> list[int]:
            headers = {"authorization": f"Bearer {token}"}
            return [
                client.get("/api/search", params=SEARCH, headers=headers).status_code
                for _ in range(7)
            ]

        with ThreadPoolExecutor(2) as pool:
            assert [*pool.map(statuses, tokens)] == [[200] * 5 + [429] * 2] * 2
        # whoever has none is counted by address, and only then
        assert [client.get("/api/search", params=SEARCH).status_code for _ in range(6)] == [
            401
        ] * 5 + [429]
        assert statuses(limited.keys.add("丙", ["ask"])[1])[:5] == [200] * 5


def test_guessing_keys_is_slow(limited: Runtime) -> None:
    limited.keys.add("甲", ["ask"])
    with client_of(limited) as client:
        found = [
            client.get(
                "/api/search",
                params=SEARCH,
                headers={"authorization": f"Bearer wq_{number:012x}_{'x' * 43}"},
            ).status_code
            for number in range(7)
        ]
    assert found == [401] * 5 + [429] * 2


def test_openai_clients_are_told_in_their_own_form(limited: Runtime) -> None:
    with client_of(limited) as client:
        *_, found = (client.get("/v1/models") for _ in range(6))
    assert found.status_code == 429
    assert 1 <= int(found.headers["retry-after"]) <= 12
    assert found.json()["error"]["code"] == "rate_limit_exceeded"


def test_a_conversation_has_a_limit_of_its_own(runtime: Runtime) -> None:
    update = {"session_rate_per_minute": 2}
    runtime.settings = runtime.settings.model_copy(update=update)
    with client_of(runtime) as client:
        ids = [
            client.post("/api/chat", json={"question": CAT_QUESTION}).json()["session_id"]
            for _ in range(2)
        ]

        def go_on(session_id: str) -> int:
            body = {"question": CAT_QUESTION, "session_id": session_id, "stream": True}
            return client.post("/api/chat", json=body).status_code

        assert [go_on(ids[0]) for _ in range(4)] == [200, 200, 429, 429]
        assert go_on(ids[1]) == 200
        broken = client.post(
            "/api/chat", content=b"[]", headers={"content-type": "application/json"}
        )
        problem_in(broken, 422, "invalid_request")


def asked(client: TestClient, forwarded: str | None, times: int = 6) -> list[int]:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return [
        client.get("/api/search", params=SEARCH, headers=headers).status_code for _ in range(times)
    ]


ALL_BUT_ONE = [200] * 5 + [429]


def test_only_a_proxy_that_is_named_says_who_asks(limited: Runtime) -> None:
    with client_of(limited) as loaded:
        proxy = TestClient(loaded.app, client=("10.1.2.3", 1))
        stranger = TestClient(loaded.app, client=("203.0.113.9", 1))
        assert asked(proxy, "198.51.100.1") == ALL_BUT_ONE
        assert asked(proxy, "198.51.100.2") == ALL_BUT_ONE
        # right-most that is no proxy: what stands before it, whoever asks may have written
        assert asked(proxy, "203.0.113.77, 198.51.100.2", 1) == [429]
        assert asked(proxy, "203.0.113.78, 198.51.100.2, 10.9.9.9", 1) == [429]
        assert asked(proxy, "198.51.100.2:443", 1) == [429]
        # a stranger is not believed, however they name themselves
        found = [asked(stranger, f"198.51.100.{number}", 1)[0] for number in range(50, 56)]
        assert found == ALL_BUT_ONE
        # nor is a header that says nothing of use
        assert asked(proxy, "2001:db8:1:2::1", 5) == [200] * 5
        assert asked(proxy, "[2001:db8:1:2:ffff::9]:443", 1) == [429]
        assert asked(proxy, "nonsense", 6) == ALL_BUT_ONE


def test_an_address_is_believed_by_no_other_header(limited: Runtime) -> None:
    with client_of(limited) as loaded:
        proxy = TestClient(loaded.app, client=("10.1.2.3", 1))
        found = [
            proxy.get(
                "/api/search",
                params=SEARCH,
                headers={
                    "x-real-ip": f"198.51.100.{number}",
                    "forwarded": f"for=198.51.100.{number}",
                },
            ).status_code
            for number in range(6)
        ]
    assert found == ALL_BUT_ONE


def test_without_a_setting_nobody_is_believed_by_a_real_server_either(runtime: Runtime) -> None:
    runtime.settings = runtime.settings.model_copy(update={"rate_per_minute": 5})
    with serving(runtime) as port:
        found = [
            httpx2.get(
                f"http://127.0.0.1:{port}/api/search",
                params=SEARCH,
                headers={"x-forwarded-for": f"198.51.100.{number}"},
            ).status_code
            for number in range(6)
        ]
    assert found == ALL_BUT_ONE


@pytest.mark.parametrize("network", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "*"])
def test_a_setting_that_is_no_network_is_told(network: str) -> None:
    with pytest.raises(ValueError, match="is no address or network"):
        Settings(trusted_proxies=(network,))


def test_widgets_are_counted_by_address(limited: Runtime) -> None:
    limited.settings = limited.settings.model_copy(
        update={"widget_origins": ("https://www.example.com",)}
    )
    with client_of(limited) as client:
        body = {"embedder": "https://www.example.com"}
        own = {"origin": "http://testserver"}
        given = client.post("/widget/token", json=body, headers=own).json()["token"]
        headers = {"authorization": f"Bearer {given}"}
        for _ in range(4):
            assert client.get("/api/suggestions", headers=headers).status_code == HTTPStatus.OK
        problem_in(client.get("/api/suggestions", headers=headers), 429, "rate_limited")
        problem_in(client.post("/widget/token", json=body, headers=own), 429, "rate_limited")
