import gzip
import re
from importlib.resources import files

import pytest
from starlette.testclient import TestClient

from bot.testing import problem_in

PAGES = ["/", "/widget/frame", "/docs"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_its_files_in_a_version_that_browsers_keep(
    client: TestClient, path: str
) -> None:
    response = client.get(path)
    assert response.headers["cache-control"] == "no-cache"
    names = re.findall(r'"(/assets/[^"]+)"', response.text)
    assert len(names) >= 3
    for name in names:
        assert re.fullmatch(r"/assets/[0-9a-f]{12}/[a-z-]+\.(css|js)", name)
        file = client.get(name)
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_file_of_another_version_is_not_kept(client: TestClient) -> None:
    response = client.get("/assets/0123456789ab/theme.css")
    assert response.headers["cache-control"] == "no-cache"
    assert response.text == (files("bot") / "assets" / "theme.css").read_text(encoding="utf-8")


def test_a_file_that_did_not_change_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/assets/theme.css")
    again = client.get("/assets/theme.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/assets/theme.css", headers={"if-none-match": '"other"'})
    assert other.status_code == 200


def test_files_are_packed_for_who_can_unpack(client: TestClient) -> None:
    with client.stream("GET", "/widget.js", headers={"accept-encoding": "gzip"}) as packed:
        sent = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "accept-encoding"
    plain = client.get("/widget.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(sent) == plain.content
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=3600"


@pytest.mark.parametrize(
    "name", ["chat.html", "frame.html", "nothing.js", "..%2fapp.py", "x/y/z.js"]
)
def test_only_styles_and_scripts_are_given(client: TestClient, name: str) -> None:
    problem_in(client.get(f"/assets/{name}"), 404, "not_found")


def test_every_module_imports_only_what_is_there() -> None:
    folder = files("bot") / "assets"
    scripts = [entry for entry in folder.iterdir() if entry.name.endswith(".js")]
    for entry in scripts:
        for name in re.findall(r'from "\./([a-z]+\.js)"', entry.read_text(encoding="utf-8")):
            assert folder.joinpath(name).is_file(), (entry.name, name)


HTML = ("innerHTML", "outerHTML", "insertAdjacentHTML", "DOMParser", "createContextualFragment")
CODE = ("document.write", "eval(", "new Function")


@pytest.mark.parametrize("word", HTML + CODE)
def test_no_script_of_ours_makes_html_or_code_of_text(word: str) -> None:
    ours = [
        entry.name
        for entry in (files("bot") / "assets").iterdir()
        if entry.name.endswith(".js") and word in entry.read_text(encoding="utf-8")
    ]
    assert ours == []
