import gzip
import ssl
import zlib
from collections.abc import Callable
from functools import partial

import anyio
import pytest

from bot.addresses import EVERYWHERE, Reach
from bot.fetch import Page, fetch, fetched
from bot.outward import Outward
from bot.settings import Settings
from bot.testing_pages import Names, Site
from bot.testing_pages import Page as Served
from corpus.errors import UnreadableSourceError

pytestmark = pytest.mark.anyio

HTML = "<title>站</title><h1>猫</h1><p>阿花在屋顶上。</p>".encode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def get(
    url: str,
    *,
    names: Names | None = None,
    reach: Reach = EVERYWHERE,
    max_bytes: int = 100_000,
    seconds: float = 60,
) -> Page:
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading whom to trust takes its time
    async with Outward(names or anyio.getaddrinfo, nobody) as outward:
        return await fetch(outward, url, reach=reach, max_bytes=max_bytes, seconds=seconds)


async def trouble(url: str, *, says: str = ".", **more: object) -> str:
    with pytest.raises(UnreadableSourceError, match=says) as told:
        await get(url, **more)  # type: ignore[arg-type]
    return told.value.trouble


async def test_a_page_is_fetched_with_what_its_server_says_of_it() -> None:
    page = Served(HTML, headers={"content-type": 'text/html; Charset="GBK"'})
    with Site({"/a": page}) as site:
        found = await get(site.url("/a?x=1#part", host="cats.example"), names=Names(["127.0.0.1"]))
    assert found.data == HTML
    assert found.origin.source == f"http://cats.example:{site.port}/a?x=1"
    assert (found.origin.kind, found.origin.charset) == ("html", "gbk")
    (request,) = site.came
    assert request["host"] == f"cats.example:{site.port}"
    assert request["path"] == "/a?x=1"
    assert request["user-agent"].startswith("wenqu/")
    assert "cookie" not in request
    assert "authorization" not in request


@pytest.mark.parametrize(
    ("path", "said", "kind"),
    [
        ("/a.bin", "text/html", "html"),
        ("/a.txt", "application/xhtml+xml; charset=utf-8", "html"),
        ("/a", "TEXT/MARKDOWN", "markdown"),
        ("/a.md", "text/plain", "markdown"),
        ("/a.pdf", "application/octet-stream", "pdf"),
        ("/a", "application/pdf", "pdf"),
        ("/a.exe", "text/plain", "text"),
        ("/a.exe", "application/octet-stream", None),
        ("/a.JSONL", "", "jsonl"),
        ("/a", "application/x-ndjson", "jsonl"),
    ],
)
async def test_the_kind_is_what_the_server_says_or_else_the_name(
    path: str, said: str, kind: str | None
) -> None:
    with Site({path: Served(b"x", headers={"content-type": said})}) as site:
        assert (await get(site.url(path))).origin.kind == kind


@pytest.mark.parametrize("said", ["image/png", "application/json", "video/mp4", "application/zip"])
async def test_what_is_no_text_is_refused_by_its_type(said: str) -> None:
    with Site({"/a.md": Served(b"x", headers={"content-type": said})}) as site:
        assert await trouble(site.url("/a.md"), says=f"it is {said}") == "unsupported"


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://a.example/", "javascript:1",
        "a.example",
        "//a.example/", "http://", "http:///a", "http:a.example", "http://a b/", "http://a\\b/",
        "http://a.example/\r\nHost: b", "http://[::1", "http://[fe80::1%25eth0]/",
        "http://%31/",
        "http://１２７.0.0.1/", "http://a..example/", "http://a.example:x/", "\ud800", "",
        "http://" + "a" * 64 + ".example/", "http://a.example/" + "a" * 2000, "http://\u2488/",
        "http://-\x00-/",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_told_before_anything_is_asked(address: str) -> None:
    names = Names(["127.0.0.1"])
    assert await trouble(address, names=names, says="an address begins with http://") == "address"
    assert names.asked == []


@pytest.mark.parametrize("userinfo", ["user:secret@", "user@", ":secret@", "%75:secret@"])
async def test_an_address_with_a_password_is_refused_and_the_password_told_to_nobody(
    userinfo: str,
) -> None:
    with pytest.raises(UnreadableSourceError, match="user name or password") as told:
        await get(f"http://{userinfo}a.example/x")
    assert "secret" not in str(told.value)
    assert told.value.source == "http://a.example/x"


CLOSED = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0x7f.1", "localhost",
    "localhost.", "127.0.0.1.", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2001:0:7f00:1::]", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1",
    "100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[fc00::1]",
    "[fe80::1]", "[ff02::1]", "[2001:db8::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", CLOSED)
async def test_nothing_inside_is_reached_however_it_is_spelt(host: str) -> None:
    with Site({"/": Served(HTML)}) as site:
        reach = Reach(ports=frozenset({site.port}))
        found = await trouble(site.url("/", host=host), reach=reach)
    assert found in {"closed", "unreachable"}  # some spellings are no name to this system
    assert site.came == []


async def test_one_private_address_among_public_ones_closes_a_name() -> None:
    names = Names(["93.184.216.34", "127.0.0.1"])
    assert await trouble("http://a.example/", names=names, reach=Reach()) == "closed"


async def test_an_answer_that_changes_between_check_and_connection_leads_nowhere_else() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    with Site({"/": Served(HTML)}) as inside:
        url = inside.url("/", host="a.example")
        reach = Reach(networks=Reach.of(["127.0.0.1"], ()).networks)
        assert (await get(url, names=names, reach=reach)).data == HTML
        assert names.asked == ["a.example"]  # once: nobody can change it in between
        assert await trouble(url, names=names, reach=reach) == "closed"
    assert len(inside.came) == 1


async def test_other_ports_are_closed_until_they_are_opened() -> None:
    names = Names(["127.0.0.1"])
    with Site({"/": Served(HTML)}) as site:
        url = site.url("/", host="a.example")
        ports = Reach.of(["a.example"], (80, 443))
        says = r"is not open, only \[80, 443\]"
        assert await trouble(url, names=names, reach=ports, says=says) == "closed"
        assert names.asked == []
        opened = Reach.of(["A.Example"], (site.port,))
        assert (await get(url, names=names, reach=opened)).data == HTML


@pytest.mark.parametrize(
    ("opened", "host", "address", "admitted"),
    [
        ("wiki.example", "wiki.example", "10.0.0.1", True),
        ("wiki.example", "a.wiki.example", "10.0.0.1", False),
        ("10.1.0.0/16", "wiki.example", "10.1.2.3", True),
        ("10.1.0.0/16", "wiki.example", "10.2.2.3", False),
        ("10.1.0.0/16", "wiki.example", "::ffff:10.1.2.3", False),
        ("10.1.2.3", "wiki.example", "10.1.2.3", True),
        ("fd00::/8", "wiki.example", "fd12::1", True),
        ("fd00::/8", "wiki.example", "fe80::1%eth0", False),
        ("10.1.0.0/16", "wiki.example", "93.184.216.34", True),
    ],
)
def test_an_administrator_opens_hosts_addresses_and_networks(
    opened: str, host: str, address: str, *, admitted: bool
) -> None:
    assert Reach.of([opened], [80]).admits(host, address) is admitted


async def test_the_settings_open_them() -> None:
    with Site({"/": Served(HTML)}) as site:
        opened = Settings(fetch_hosts=("127.0.0.0/8",), fetch_ports=(site.port,))
        assert (await fetched(opened, site.url("/"))).data == HTML
        with pytest.raises(UnreadableSourceError) as told:
            await fetched(Settings(fetch_ports=(site.port,)), site.url("/"))
    assert told.value.trouble == "closed"


@pytest.mark.parametrize("hosts", ["10.1.2.3/8", "a/b", "a b/c", "http://a.example", "*"])
def test_what_is_no_host_and_no_network_is_no_setting(hosts: str) -> None:
    with pytest.raises(ValueError, match="fetch_hosts"):
        Settings(fetch_hosts=hosts)  # type: ignore[arg-type]  # as the environment has it


async def test_a_redirect_is_followed_and_the_last_address_is_the_source() -> None:
    pages = {
        "/a": Served(status=301, headers={"location": "/b?x=1"}),
        "/b": Served(status=307, headers={"location": "http://other.example:PORT/c#part"}),
        "/c": Served(HTML),
    }
    with Site() as site:
        for path, page in pages.items():
            headers = {k: v.replace("PORT", str(site.port)) for k, v in page.headers.items()}
            site.pages[path] = Served(page.body, page.status, headers)
        names = Names(["127.0.0.1"])
        found = await get(site.url("/a", host="a.example"), names=names)
    assert found.origin.source == f"http://other.example:{site.port}/c"
    assert names.asked == ["a.example", "a.example", "other.example"]
    assert [request["path"] for request in site.came] == ["/a", "/b?x=1", "/c"]


async def test_a_redirect_into_the_own_network_is_not_followed() -> None:
    with Site({"/": Served(HTML)}) as inside, Site() as outside:
        for name in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            to = {"location": inside.url("/", host=name)}
            outside.pages["/"] = Served(status=302, headers=to)
            url = outside.url("/", host="a.example")
            reach = Reach(hosts=frozenset({"a.example"}))
            names = Names(["127.0.0.1"])
            assert await trouble(url, names=names, reach=reach) == "closed"
    assert inside.came == []


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/a", "refused"),
        ("file:///etc/passwd", "address"),
        ("gopher://a.example/", "address"),
        ("http://user:secret@a.example/", "address"),
        ("http://[", "address"),
        ("", "refused"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_told(location: str, found: str) -> None:
    with Site({"/a": Served(status=302, headers={"location": location})}) as site:
        assert await trouble(site.url("/a")) == found
    assert len(site.came) <= 6


@pytest.mark.parametrize("status", [204, 206, 300, 304, 400, 401, 403, 404, 429, 500, 503])
async def test_any_other_answer_is_told_with_its_status(status: int) -> None:
    page = Served(status=status, headers={"content-length": "0"})
    with Site({"/a": page}) as site:
        assert await trouble(site.url("/a"), says=f"HTTP {status}") == "refused"


async def test_what_is_packed_is_unpacked_and_the_limit_counts_both_ways() -> None:
    packed = {"content-encoding": "gzip", "content-type": "text/html"}
    pages = {
        "/two": Served(gzip.compress(HTML) + gzip.compress(b"<p>x"), headers=packed, pieces=9),
        "/bomb": Served(gzip.compress(b"x" * 50_000_000), headers=packed),
        "/exact": Served(gzip.compress(b"x" * 1000), headers=packed),
        "/large": Served(b"x" * 1001),
        "/endless": Served(b"x" * 5_000_000, headers={"content-length": "999999999999"}),
        "/cut": Served(gzip.compress(HTML)[:-9], headers=packed),
        "/wrong": Served(HTML, headers=packed),
        "/raw": Served(zlib.compress(HTML), headers=packed),
        "/brotli": Served(HTML, headers={"content-encoding": "br"}),
        "/short": Served(HTML, headers={"content-length": "9999"}),
    }
    with Site(pages) as site:
        at: Callable[[str], str] = site.url
        assert (await get(at("/two"))).data == HTML + b"<p>x"
        assert (await get(at("/exact"), max_bytes=1000)).data == b"x" * 1000
        limited = partial(trouble, max_bytes=1000)
        assert await limited(at("/bomb"), says="more than 1000 bytes") == "too_large"
        assert await limited(at("/large"), says="more than 1000 bytes") == "too_large"
        assert await limited(at("/endless")) == "too_large"
        assert await trouble(at("/cut"), says="breaks off") == "damaged"
        assert await trouble(at("/wrong"), says="packed wrongly") == "damaged"
        assert await trouble(at("/raw"), says="packed wrongly") == "damaged"
        assert await trouble(at("/brotli"), says="packs it as br") == "damaged"
        assert await trouble(at("/short")) == "unreachable"


async def test_a_server_that_takes_its_time_is_left() -> None:
    with Site({"/a": Served(b"x" * 100, seconds=0.1, pieces=100)}) as site:
        with anyio.fail_after(5):
            says = r"takes more than 0\.3 seconds"
            assert await trouble(site.url("/a"), seconds=0.3, says=says) == "slow"


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site({"/": Served(HTML)}) as site, Site() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await get(site.url("/"))
    assert proxy.came == []


async def test_nobody_there_is_told() -> None:
    with Site() as site:
        pass
    assert await trouble(site.url("/")) == "unreachable"
    assert await trouble("http://no-such-name.invalid/", reach=Reach()) == "unreachable"
