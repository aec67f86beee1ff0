import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.addresses import is_public
from bot.channels.outward import Outcome, post
from bot.channels.webhook_testing import Receiver, Said
from bot.errors import PlatformError
from bot.outward import Outward
from bot.testing_pages import Names

pytestmark = pytest.mark.anyio

BODY = '{"type":"答"}'.encode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        *((address, False) for address in (
            "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
            "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1",
            "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
            "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1",
            "ff02::1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "64:ff9b::7f00:1",
            "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
        )),
    ],
)  # fmt: skip
def test_only_addresses_of_the_internet_at_large_are_public(address: str, *, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "[::1]"]
)
async def test_nothing_reaches_the_own_network_however_it_is_spelt(host: str) -> None:
    with Receiver() as there:
        async with Outward() as outward:
            with pytest.raises(PlatformError):
                await post(outward, f"http://{host}:{there.port}/", BODY, {}, private=False)
    assert there.came == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async with Outward(Names(["93.184.216.34", "10.0.0.1"])) as outward:
        with pytest.raises(PlatformError, match=r"hooks\.example is not on the public"):
            await post(outward, "https://hooks.example/", BODY, {}, private=False)


async def test_a_name_is_resolved_once_and_the_checked_address_used() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    with Receiver(Said(503, {"retry-after": "7"})) as there:
        async with Outward(names) as outward:
            url = f"http://hooks.example:{there.port}/in?token=1"
            found = await post(outward, url, BODY, {"webhook-id": "msg_1"}, private=True)
    assert found == Outcome(503, "7")
    assert names.asked == ["hooks.example"]
    (request,) = there.came
    assert request.headers["host"] == f"hooks.example:{there.port}"
    assert (request.id, request.body) == ("msg_1", BODY)
    assert request.headers["content-type"] == "application/json"


async def test_another_address_is_tried_where_one_does_not_answer() -> None:
    with Receiver() as there:
        async with Outward(Names(["127.0.0.9", "127.0.0.1"])) as outward:
            found = await post(
                outward, f"http://hooks.example:{there.port}/", BODY, {}, private=True
            )
    assert (found.status, len(there.came)) == (200, 1)


async def test_a_redirect_is_not_followed() -> None:
    with Receiver() as target, Receiver(Said(302, {"location": target.url})) as there:
        async with Outward() as outward:
            found = await post(outward, there.url, BODY, {}, private=True)
    assert (found.status, len(there.came), target.came) == (302, 1, [])


async def test_what_the_environment_says_of_proxies_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Receiver() as there, Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with Outward() as outward:
            await post(outward, f"http://127.0.0.1:{there.port}/", BODY, {}, private=True)
    assert (len(there.came), proxy.came) == (1, [])


async def test_nobody_there_is_told_without_the_address() -> None:
    with Receiver() as there:
        pass
    async with Outward() as outward:
        with pytest.raises(PlatformError) as told:
            await post(outward, f"http://127.0.0.1:{there.port}/secret", BODY, {}, private=True)
    assert "secret" not in str(told.value)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The sides of a server that is known as `name`, and of who believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_the_certificate_has_to_be_that_of_the_name_not_of_the_address(
    tmp_path: Path,
) -> None:
    server, trusted = certificate(tmp_path, "hooks.example")
    with Receiver(tls=server) as there:
        async with Outward(Names(["127.0.0.1"]), trusted) as outward:
            found = await post(
                outward, f"https://hooks.example:{there.port}/", BODY, {}, private=True
            )
            assert found.status == 200
            with pytest.raises(PlatformError, match="ConnectError"):
                await post(outward, f"https://other.example:{there.port}/", BODY, {}, private=True)
    assert len(there.came) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 0), ("120", 120), ("-5", 0), ("soon", 0), ("１２", 0), ("9" * 400, 999_999_999),
        ("Tue, 10 Mar 2026 00:01:00 GMT", 60), ("Mon, 09 Mar 2026 23:59:00 GMT", 0),
        ("Tue, 10 Mar 99999 00:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_a_pause_is_asked_for_in_seconds_or_until_a_date(said: str, seconds: float) -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC).timestamp()
    assert Outcome(503, said).retry_seconds(now) == seconds
