import importlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

from bot.problems import problem_of
from bot.sessions import SessionStore
from index.database import Base, Database
from index.engines import engine_of
from index.errors import DriverError, SchemaError
from index.schema import STEPS, bring_up_to_date, versions

ROOT = Path(__file__).parents[1]
RELEASED = Path(__file__).parent / "schemas" / "0.1.0.sql"
LATEST = max(versions())
NEXT = f"{int(LATEST) + 1:04}"
STEP = f"""
import sys, time
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{LATEST}"

def upgrade():
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO first VALUES (1)")
    {{between}}
    op.create_table("second", sa.Column("id", sa.Integer, primary_key=True))
"""
HANG = 'print("between", flush=True); time.sleep(60)'
START = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from index.engines import engine_of
from index.schema import bring_up_to_date
bring_up_to_date(engine_of(sys.argv[1], 1), Path(sys.argv[2]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, new_database: Callable[..., str]) -> str:
    """A database without a single table, once of each kind."""
    return new_database(request.param, template="template0")


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    made = engine_of(empty_url, 1)
    yield made
    made.dispose()


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = engine_of(url, 1)
    yield engine
    engine.dispose()


def models() -> MetaData:
    """Return what all modules with tables say, those included that nobody has imported yet."""
    for path in [*ROOT.glob("index/**/*.py"), *ROOT.glob("bot/**/*.py")]:
        if "(Base):" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return Base.metadata


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": defaults_differ}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, models()))


def defaults_differ(*given: object) -> bool:
    """Compare the default of a column with that of its model: each engine writes its own way."""
    found, modelled = (
        None if default is None else re.sub(r"::.*$", "", str(default)).strip("()'")
        for default in (given[3], given[5])
    )
    return found != modelled


def steps_with(folder: Path, **between: str) -> Path:
    """Return a copy of our steps with one more, for each name a folder of its own."""
    ((name, line),) = between.items()
    steps = folder / name
    shutil.copytree(STEPS, steps, ignore=shutil.ignore_patterns("__pycache__"))
    made = STEP.format(between=line)
    (steps / "versions" / f"{NEXT}_more.py").write_text(made, encoding="utf-8")
    return steps


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def version(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def released(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        connection.executescript(RELEASED.read_text(encoding="utf-8"))
    return f"sqlite:///{path}"


def test_the_steps_lead_to_what_the_models_say(engine: Engine) -> None:
    bring_up_to_date(engine)
    assert differences(engine) == []
    assert version(engine) == LATEST
    assert {"documents", "turns", "channel_jobs", "webhook_deliveries"} <= tables(engine)


def test_steps_are_numbered_without_a_gap_and_each_follows_the_one_before() -> None:
    numbers = sorted(versions())
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    for before, number in zip(["", *numbers], numbers, strict=False):
        (path,) = (STEPS / "versions").glob(f"{number}_*.py")
        found = re.findall(r"^(?:down_)?revision.*= (.+)$", path.read_text("utf-8"), re.MULTILINE)
        assert found == [f'"{number}"', f'"{before}"' if before else "None"]


def test_a_database_of_the_released_version_goes_on_with_all_that_is_in_it(tmp_path: Path) -> None:
    url = released(tmp_path / "a.db")
    with closing(Database(url)) as database:
        (turn,) = SessionStore(database).get("s1").turns
        assert (turn.turn.question, turn.vote) == ("你好", "up")
        with database.read() as session:
            counts = {
                name: session.scalar(text(f"SELECT count(*) FROM {name}"))
                for name in ("documents", "channel_jobs", "channel_threads", "webhook_deliveries")
            }
    assert set(counts.values()) == {1}
    with opened(url) as engine:
        assert differences(engine) == []


def test_a_database_that_has_only_some_of_the_old_tables_gets_the_others(tmp_path: Path) -> None:
    url = released(tmp_path / "a.db")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.executescript("DROP TABLE channel_jobs; DROP TABLE webhook_gone;")
    with opened(url) as engine:
        bring_up_to_date(engine)
        assert differences(engine) == []


def test_a_database_that_is_up_to_date_is_opened_by_one_query(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    Database(url).close()
    code = f"import sys; from index.database import Database; Database({url!r}); "
    code += "print('alembic' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"


def test_a_newer_schema_than_the_code_is_refused_and_left_alone(
    engine: Engine, empty_url: str, tmp_path: Path
) -> None:
    bring_up_to_date(engine, steps_with(tmp_path, newer="pass"))
    with pytest.raises(SchemaError, match=f"schema '{NEXT}', this wenqu knows .* '{LATEST}'") as it:
        Database(empty_url)
    said = problem_of(it.value)
    assert (said.code, said.status, said.exit_status) == ("schema", 503, 2)
    assert NEXT in said.detail
    assert version(engine) == NEXT


def test_of_processes_that_start_at_once_one_does_the_steps(
    engine: Engine, empty_url: str, tmp_path: Path
) -> None:
    steps = steps_with(tmp_path, slow="time.sleep(0.3)")

    def start() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", START, empty_url, str(steps)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: start(), range(4)))
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 4
    assert version(engine) == NEXT
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM first")) == 1


def test_a_start_after_a_kill_between_two_tables_finishes_both(
    engine: Engine, empty_url: str, tmp_path: Path
) -> None:
    bring_up_to_date(engine)
    hanging = steps_with(tmp_path, hanging=HANG)
    command = [sys.executable, "-c", START, empty_url, str(hanging)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "between\n"
        os.kill(child.pid, signal.SIGKILL)
    assert "first" not in tables(engine)
    assert version(engine) == LATEST
    bring_up_to_date(engine, steps_with(tmp_path, quick="pass"))
    assert {"first", "second"} <= tables(engine)
    assert version(engine) == NEXT


def test_a_step_that_copies_a_table_empties_no_other(tmp_path: Path) -> None:
    url = released(tmp_path / "a.db")
    copy = 'batch = op.batch_alter_table("sessions", recreate="always")\n'
    copy += '    with batch as table:\n        table.add_column(sa.Column("more", sa.Text))'
    with opened(url) as engine:
        bring_up_to_date(engine, steps_with(tmp_path, copying=copy))
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (1,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_foreign_keys_are_looked_at_again_after_the_steps(tmp_path: Path) -> None:
    with closing(Database(released(tmp_path / "a.db"))) as database:
        SessionStore(database).delete("s1")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (0,)


@pytest.mark.parametrize("url", ["mysql://a:secret@b/c", "postgresql+nothing://a:secret@b/c"])
def test_a_database_that_no_driver_is_for_is_named_without_its_password(url: str) -> None:
    with pytest.raises(DriverError) as caught:
        Database(url)
    assert "secret" not in str(caught.value)
    assert problem_of(caught.value).code == "database_driver"
