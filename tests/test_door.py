import pytest
from starlette.testclient import TestClient

from bot.api.door import is_loopback, is_private
from bot.api.state import State
from bot.app import create_app
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import client_of, problem_in

KEY = "correct-horse-battery-staple"
TEXT = {"title": "狗", "text": "狗在院子里。"}
ADMIN = ["/api/admin/index", "/api/admin/questions", "/api/admin/report"]


def with_settings(runtime: Runtime, **settings: object) -> Runtime:
    checked = Settings.model_validate(
        {**runtime.settings.model_dump(exclude_defaults=True), **settings}
    )
    return Runtime(checked, runtime.database, runtime.embedder, runtime.segmenter)


def bearer(key: str, kind: str = "Bearer") -> dict[str, str]:
    return {"authorization": f"{kind} {key}"}


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("wenqu.example", False),
    ],
)  # fmt: skip
def test_only_this_machine_reaches_loopback(host: str, *, is_this_machine: bool) -> None:
    assert is_loopback(host) is is_this_machine
    assert is_private(Settings(host=host)) is is_this_machine


def test_a_service_with_a_public_address_is_not_private() -> None:
    assert not is_private(Settings(public_url="https://docs.example"))


def test_with_a_key_changes_need_it(runtime: Runtime) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        for headers in (
            {}, bearer("wrong"), bearer(KEY[:-1]), bearer(f"{KEY}x"), bearer(KEY, "Basic"),
            bearer(""), {"authorization": KEY},
        ):  # fmt: skip
            refused = client.post("/api/documents", json=TEXT, headers=headers)
            problem_in(refused, 401, "admin_key")
            assert refused.headers["www-authenticate"] == "Bearer"
            refused = client.delete("/api/documents/手册/猫", headers=headers)
            problem_in(refused, 401, "admin_key")
        assert client.get("/api/documents/手册/猫").status_code == 200
        for kind in ("Bearer", "bearer"):
            added = client.post("/api/documents", json=TEXT, headers=bearer(KEY, kind))
            assert added.status_code == 200
        assert client.delete("/api/documents/手册/猫", headers=bearer(KEY)).status_code == 200


def test_a_key_of_bytes_that_are_no_text_is_only_wrong(runtime: Runtime) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        headers = [(b"authorization", b"Bearer \xe5\xaf\x86\xff")]
        problem_in(client.delete("/api/documents/x", headers=headers), 401, "admin_key")


def test_the_key_is_asked_for_before_a_body_is_read(runtime: Runtime) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        headers = {"content-type": "application/json"}
        problem_in(client.post("/api/documents", content=b"{", headers=headers), 401, "admin_key")


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0"}, {"public_url": "https://a.example"}])
def test_without_a_key_a_public_service_takes_no_changes(
    runtime: Runtime, settings: dict[str, str]
) -> None:
    with client_of(with_settings(runtime, **settings)) as client:
        said = problem_in(client.post("/api/documents", json=TEXT), 403, "no_admin_key")
        assert "WENQU_ADMIN_KEY" in said["detail"]
        problem_in(client.delete("/api/documents/手册/猫"), 403, "no_admin_key")
        problem_in(client.delete("/api/documents/手册/猫", headers=bearer("")), 403, "no_admin_key")


def test_without_a_key_a_private_service_takes_changes(client: TestClient) -> None:
    assert client.post("/api/documents", json=TEXT).status_code == 200
    assert client.delete("/api/documents/手册/猫").status_code == 200


@pytest.mark.parametrize("path", ADMIN)
def test_without_a_key_nobody_administers(client: TestClient, path: str) -> None:
    problem_in(client.get(path), 403, "no_admin_key")
    problem_in(client.get(path, headers=bearer("")), 403, "no_admin_key")


@pytest.mark.parametrize("path", ADMIN)
def test_administering_needs_the_key(runtime: Runtime, path: str) -> None:
    with client_of(with_settings(runtime, admin_key=KEY)) as client:
        problem_in(client.get(path), 401, "admin_key")
        problem_in(client.get(path, headers=bearer("wrong")), 401, "admin_key")
        problem_in(client.get(f"{path}?key={KEY}&authorization=Bearer%20{KEY}"), 401, "admin_key")


def test_the_key_is_asked_for_while_the_service_starts(runtime: Runtime) -> None:
    def fail(_settings: Settings) -> Runtime:
        raise MemoryError

    loaded: list[State] = []
    settings = with_settings(runtime, admin_key=KEY).settings
    app = create_app(settings, open_runtime=fail, on_loaded=loaded.append, retry_seconds=3600)
    with TestClient(app, raise_server_exceptions=False) as client:
        problem_in(client.get("/api/admin/index"), 401, "admin_key")
        problem_in(client.delete("/api/documents/x"), 401, "admin_key")


@pytest.mark.parametrize(
    "key", ["short", "x" * 15, "with spaces in between", "密" * 16, "x" * 16 + "\n"]
)
def test_a_weak_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="at least 16") as refused:
        Settings.model_validate({"admin_key": key})
    assert key not in str(refused.value.errors(include_input=False))  # type: ignore[attr-defined]


def test_the_key_is_never_shown() -> None:
    settings = Settings.model_validate({"admin_key": KEY})
    assert KEY not in repr(settings)
    assert settings.admin_key.get_secret_value() == KEY
