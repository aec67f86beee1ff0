import re
from pathlib import Path

import pytest

from bot.configuration import Configuration
from bot.errors import SettingsError
from bot.settings import Settings

ROOT = Path(__file__).parents[1]


def load(tmp_path: Path, environ: dict[str, str] | None = None, **options: object) -> Configuration:
    return Configuration.load(environ or {}, folder=tmp_path, options=options)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "wenqu.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_set_the_service_is_local_and_keeps_its_data_in_var(
    tmp_path: Path,
) -> None:
    found = load(tmp_path)
    assert (found.settings.host, found.settings.port) == ("127.0.0.1", 8000)
    assert found.settings.database == "sqlite:///var/wenqu.db"
    assert found.settings.indexes == Path("var/index")
    assert set(found.origins.values()) == {"default"}


def test_an_option_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, "port = 1001\nhost = '0.0.0.0'\ntop_k = 5\n")
    found = load(tmp_path, {"WENQU_PORT": "1002", "WENQU_HOST": "::1"}, port=1003, host=None)
    assert (found.settings.port, found.settings.host, found.settings.top_k) == (1003, "::1", 5)
    assert found.origins["port"] == "--port"
    assert found.origins["host"] == "environment WENQU_HOST"
    assert found.origins["top_k"] == "wenqu.toml"
    assert found.origins["data"] == "default"


def test_an_empty_variable_counts_as_absent(tmp_path: Path) -> None:
    assert load(tmp_path, {"WENQU_PORT": ""}).settings.port == 8000


def test_a_misspelt_key_in_the_file_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    path = write(tmp_path, "prot = 9000\n")
    with pytest.raises(SettingsError, match=r"'prot' .*is no setting; the nearest is 'port'") as e:
        load(tmp_path)
    assert (e.value.name, e.value.origin) == ("prot", str(path))


def test_a_misspelt_variable_is_listed_but_stops_nothing(tmp_path: Path) -> None:
    found = load(tmp_path, {"WENQU_PROT": "1", "WENQU_CONFIG": "", "OTHER": "1"})
    assert found.unknown == ("WENQU_PROT",)


@pytest.mark.parametrize(
    ("environ", "origin"),
    [
        ({"WENQU_PORT": "a lot"}, "environment WENQU_PORT"),
        ({"WENQU_PORT": "70000"}, "environment WENQU_PORT"),
        ({"WENQU_COLLECTION": "../etc"}, "environment WENQU_COLLECTION"),
        ({"WENQU_PUBLIC_URL": "javascript:alert(1)"}, "environment WENQU_PUBLIC_URL"),
        ({"WENQU_LOG_LEVEL": "loud"}, "environment WENQU_LOG_LEVEL"),
        ({"WENQU_STORE_CONVERSATIONS": "perhaps"}, "environment WENQU_STORE_CONVERSATIONS"),
    ],
)
def test_a_wrong_value_is_refused_with_where_it_came_from(
    tmp_path: Path, environ: dict[str, str], origin: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, environ)
    assert error.value.origin == origin
    (value,) = environ.values()
    assert value not in str(error.value)


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    write(folder, "data = 'data'\ncache = '/cache'\ndictionary = 'words.txt'\n")
    found = load(tmp_path, {"WENQU_CONFIG": str(folder / "wenqu.toml")})
    assert found.settings.data == folder / "data"
    assert found.settings.cache == Path("/cache")
    assert found.settings.dictionary == folder / "words.txt"


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load(tmp_path, {"WENQU_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("content", [b"port = \n", b"host = '\xff'\n"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "wenqu.toml").write_bytes(content)
    with pytest.raises(SettingsError, match="is not TOML in UTF-8"):
        load(tmp_path)


def test_a_password_in_the_database_url_is_never_shown(tmp_path: Path) -> None:
    url = "postgresql://user:geheim@db.example/wenqu"
    found = load(tmp_path, {"WENQU_DATABASE_URL": url})
    assert found.settings.database == url
    assert found.shown("database_url") == "postgresql://user:***@db.example/wenqu"
    shown = [found.shown(name) for name in ("port", "dictionary", "store_conversations")]
    assert shown == ["8000", "", "true"]


def test_every_setting_is_documented_with_its_default_and_no_other_is() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) \|", text, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(Settings.model_fields)
    for name, variable, default in rows:
        assert variable == f"WENQU_{name.upper()}"
        field = Settings.model_fields[name]
        if field.default_factory is None:
            value = field.default
            if isinstance(value, tuple):
                value = ", ".join(map(str, value))
            shown = str(value).lower() if isinstance(value, bool) else str(value or "")
            shown = "0" if value == 0 and not isinstance(value, bool) else shown
            assert default == (f"`{shown}`" if shown else "空"), name
