"""Where the value of each setting came from.

A command-line option wins over the environment, the environment over the file, the file over
the default. The file is `wenqu.toml` in the current folder, or what `WENQU_CONFIG` names.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from bot.errors import SettingsError
from bot.settings import Settings

PREFIX = "WENQU_"
FILE = "wenqu.toml"
_CONFIG = f"{PREFIX}CONFIG"
_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings with the origin of each.

    Attributes:
        settings: The values.
        origins: Name of a setting to where its value came from, such as `environment WENQU_PORT`.
        unknown: Environment variables that begin like ours and are none of ours.
    """

    settings: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        *,
        folder: Path = Path(),
        options: Mapping[str, object] | None = None,
    ) -> Self:
        """Read all sources.

        Args:
            environ: Environment variables; an empty one counts as absent.
            folder: Where `wenqu.toml` may lie. Paths in a file are relative to the file.
            options: Given on the command line; None counts as absent.

        Raises:
            SettingsError: The file cannot be read, a key is unknown or a value is not valid.
        """
        found: dict[str, tuple[object, str]] = {}
        path = Path(environ.get(_CONFIG) or folder / FILE)
        if path.exists() or environ.get(_CONFIG):
            found |= {name: (value, path.name) for name, value in _from_file(path).items()}
        names = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
        for variable, name in names.items():
            if environ.get(variable):
                found[name] = (environ[variable], f"environment {variable}")
        for name, value in (options or {}).items():
            if value is not None:
                found[name] = (value, f"--{name.replace('_', '-')}")
        try:
            settings = Settings.model_validate({name: value for name, (value, _) in found.items()})
        except ValidationError as error:
            raise _invalid(error, {name: origin for name, (_, origin) in found.items()}) from error
        ours = {*names, _CONFIG}
        return cls(
            settings,
            {name: found[name][1] if name in found else "default" for name in names.values()},
            tuple(sorted(name for name in environ if name.startswith(PREFIX) and name not in ours)),
        )

    def shown(self, name: str) -> str:
        """Return the value of a setting as it may be printed: without a password, "" for none."""
        value = getattr(self.settings, name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple | Mapping):
            return ", ".join(map(str, value))  # of a table only the names: the rest is secret
        shown = "" if value is None else str(value)
        return _PASSWORD.sub("***", shown) if name == "database_url" else shown


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(path.name, str(path), f"cannot be read: {reason}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(path.name, str(path), f"is not TOML in UTF-8: {error}") from error
    for name in found:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.0)
            raise SettingsError(name, str(path), f"is no setting; the nearest is {near[0]!r}")
    for name in ("data", "cache", "dictionary", "eval_report"):
        if isinstance(found.get(name), str):
            found[name] = path.parent / Path(found[name]).expanduser()
    return found


def _invalid(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    # without the value: it may be a password
    first = error.errors(include_url=False, include_input=False)[0]
    name, *within = map(str, first["loc"])
    where = f"{'.'.join(within)}: " if within else ""
    return SettingsError(name, origins.get(name, "default"), f"{where}{first['msg']}")
