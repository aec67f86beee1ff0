import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.caller import Caller
from bot.cli import guarded
from bot.commands import keys as command
from bot.errors import KeyNotFoundError
from bot.keys import FORM, FRESH_SECONDS, KeyRow, Keys, digest
from eval.bench.door import checks
from index.database import Database, now


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[Keys]:
    """The same keys, as another process has them."""
    other = Database(database_url)
    yield Keys(other)
    other.close()


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("wenqu.db*"))


def test_a_key_has_256_random_bits_and_says_what_it_is(keys: Keys) -> None:
    key, token = keys.add("网站", ["ask"])
    kind, key_id, secret = token.split("_", 2)
    assert (kind, key_id, len(secret)) == ("wq", key.id, 43)  # 43 x 6 bits: 256 and 2 of filling
    assert FORM.fullmatch(token)
    assert len({keys.add("网站", ["ask"])[1] for _ in range(20)} | {token}) == 21


def test_what_is_kept_is_a_hash_and_never_the_key(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/wenqu.db")
    key, token = Keys(database).add("网站", ["ask"])
    kept = written(tmp_path)
    database.close()
    assert key.digest.encode() in kept  # so the search would find the key as well
    assert token.encode() not in kept
    assert token.split("_", 2)[2].encode() not in kept
    assert key.digest not in repr(key)
    assert key.shown == f"wq_{key.id}_…"


def test_a_key_is_found_by_all_of_it_and_by_nothing_less(keys: Keys) -> None:
    key, token = keys.add("甲", ["ask", "ingest"], ["a", "b"])
    other, other_token = keys.add("乙", ["admin"])
    ring = keys.ring()
    assert ring.find(token) == key
    assert ring.find(other_token) == other
    mixed = f"wq_{key.id}_{other_token.split('_', 2)[2]}"
    nobody = f"wq_{'0' * 12}_{token.split('_', 2)[2]}"
    for wrong in (
        mixed,
        nobody,
        token[:-1],
        f"{token}x",
        token.upper(),
        key.digest,
        "",
        "wq_",
        "é",
    ):
        assert ring.find(wrong) is None
    assert ring.scopes == {"ask", "ingest", "admin"}


def test_the_hash_is_sha_256() -> None:
    # printf abc | sha256sum
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest("abc") == known


def test_a_key_that_is_revoked_ends_here_at_once_and_elsewhere_soon(
    keys: Keys, elsewhere: Keys
) -> None:
    here, there = keys, elsewhere
    key, token = here.add("甲", ["ask"])
    found = there.ring().find(token)
    assert found is not None
    assert found.state(now()) == "active"
    here.revoke(key.id)
    began = time.monotonic()
    ended = here.ring().find(token)
    assert ended is not None
    assert ended.state(now()) == "revoked"
    while there.ring().find(token) == found:
        time.sleep(0.05)
    assert time.monotonic() - began < 5
    assert FRESH_SECONDS <= 5


def test_revoking_twice_tells_when_it_was_first(keys: Keys) -> None:
    key, _ = keys.add("甲", ["ask"])
    assert keys.revoke(key.id).revoked_at == keys.revoke(key.id).revoked_at
    with pytest.raises(KeyNotFoundError, match="there is no key 'nobody'"):
        keys.revoke("nobody")


def test_a_key_expires_on_its_day(database: Database, keys: Keys) -> None:
    key, _ = keys.add("甲", ["ask"], days=1)
    assert key.expires_at is not None
    assert key.expires_at > now()
    assert key.state(key.created_at) == "active"
    assert key.state(key.expires_at) == "expired"
    with database.write() as session:
        session.execute(update(KeyRow).values(expires_at="2026-01-01T00:00:00Z"))
    (past,) = keys.all()
    assert past.state(now()) == "expired"
    assert keys.revoke(key.id).state(now()) == "revoked"


def test_uses_are_noted_once_a_minute_so_that_reading_stays_reading(
    database: Database, keys: Keys
) -> None:
    key, _ = keys.add("甲", ["ask"])
    assert [keys.is_to_be_noted(key) for _ in range(3)] == [True, False, False]
    keys.note_use(key)
    (used,) = keys.all()
    assert used.used_at is not None
    assert not Keys(database).is_to_be_noted(used)  # nor in another process
    with database.write() as session:
        session.execute(update(KeyRow).values(used_at="2026-01-01T00:00:00Z"))
    (old,) = keys.all()
    assert Keys(database).is_to_be_noted(old)
    keys.note_use(old)
    (again,) = keys.all()
    assert again.used_at != old.used_at


def test_checking_a_key_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    figure = checks(tmp_path, keys=20, times=1000)  # 0.01 ms on an idle machine
    assert figure.held, figure


def test_a_key_means_the_first_of_its_collections_unless_the_default_is_one_of_them(
    keys: Keys,
) -> None:
    def default_of(*collections: str) -> str:
        key, _ = keys.add("甲", ["ask"], collections)
        return Caller.of_key(key, "default").default

    assert [default_of(), default_of("b", "a"), default_of("b", "default")] == ["", "b", ""]


def run(tmp_path: Path, *argv: str) -> int:
    action, *rest = argv
    return guarded(command.run, ["--data", str(tmp_path), action, *rest])


def test_the_command_makes_lists_and_revokes_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "list") == 0
    assert "还没有密钥" in capsys.readouterr().out
    limited = ("--collection", "手册".encode().hex(), "--expires", "30")
    assert run(tmp_path, "add", "网站", "--scope", "ask", "--scope", "ask", *limited) == 0
    said = capsys.readouterr()
    token = said.out.removesuffix("\n")
    assert FORM.fullmatch(token)  # nothing else on standard output, for `KEY=$(wenqu keys add …)`
    assert "只显示这一次" in said.err
    assert "从现在起，提问要带密钥" in said.err
    assert token not in said.err
    assert run(tmp_path, "add", "二", "--scope", "ask") == 0
    assert "从现在起" not in capsys.readouterr().err
    assert run(tmp_path, "list") == 0
    listed = capsys.readouterr().out
    key_id = token.split("_")[1]
    assert re.search(
        rf"^{key_id}  有效  网站\n    ask，{'手册'.encode().hex()}，", listed, re.MULTILINE
    )
    assert "到期，没有用过" in listed
    assert token not in listed
    assert digest(token) not in listed
    assert run(tmp_path, "revoke", key_id) == 0
    assert f"已撤销 {key_id}（网站）" in capsys.readouterr().out
    run(tmp_path, "list")
    assert f"{key_id}  已撤销  网站" in capsys.readouterr().out


def test_a_lost_key_is_revoked_by_all_that_was_found_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "add", "丢了的", "--scope", "admin")
    token = capsys.readouterr().out.strip()
    assert run(tmp_path, "revoke", token) == 0
    said = capsys.readouterr()
    assert token not in said.out + said.err
    assert run(tmp_path, "revoke", "nobody") == 1
    assert capsys.readouterr().err == (
        "wenqu: 没有编号为 nobody 的密钥。用 wenqu keys list 查看有哪些。\n"
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["add", "甲"], "--scope"),
        (["add", "甲", "--scope", "root"], "root"),
        (["add", " ", "--scope", "ask"], "1 到 100 个字符"),
        (["add", "甲" * 101, "--scope", "ask"], "1 到 100 个字符"),
        (["add", "甲", "--scope", "ask", "--collection", "../x"], "不是文档集的名称"),
        (["add", "甲", "--scope", "ask", "--expires", "0"], "1 到 36500"),
        (["add", "甲", "--scope", "ask", "--expires", "１"], "1 到 36500"),
        ([], "add | list | revoke"),
    ],
)
def test_what_is_no_key_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.run(["--data", str(tmp_path), *argv])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_name_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "add", "红\x1b[31m", "--scope", "ask")
    capsys.readouterr()
    run(tmp_path, "list")
    assert "\x1b" not in capsys.readouterr().out
