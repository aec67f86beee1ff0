import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

Found: TypeAlias = Iterator[tuple[ast.AST, str]]
Rule: TypeAlias = Callable[[ast.Module], Found]

ROOT = Path(__file__).parents[1]
PACKAGES = ("corpus", "index", "bot", "eval")

RUNS_WHAT_IT_READS = {
    "cPickle", "cloudpickle", "dill", "imp", "joblib", "jsonpickle", "marshal", "pickle", "shelve",
}  # fmt: skip
FETCHES = {
    "aiohttp", "ftplib", "http.client", "httplib2", "httpx", "httpx2", "requests", "smtplib",
    "telnetlib", "urllib.request", "urllib3", "websockets",
}  # fmt: skip
# What speaks to the network, and why it may. Everything else goes through these.
SPEAKERS = {
    "bot/outward.py": "the guard: no private address, no redirect, no name that changes",
    "bot/channels/outward.py": "events, sent by the guard",
    "bot/fetch.py": "reads what the guard has got, piece by piece",
    "bot/channels/platform.py": "the host of a chat platform, which is a setting",
    "bot/channels/dingtalk_stream.py": "likewise, by a WebSocket",
    "bot/channels/slack_client.py": "Slack's own SDK stands on aiohttp; its host is a setting",
    "bot/llm/client.py": "the language model, whose address is a setting",
    "bot/llm/transport.py": "bounds what the language model may send",
    "bot/llm/failures.py": "names the errors of the two above",
    "eval/remote.py": "`wenqu eval --url`: the server that whoever runs it names",
    "eval/session.py": "likewise",
}
BLOCKING = {
    "conversations", "courier", "database", "inbox", "jobs", "library", "outbox", "questions",
    "sessions", "threads",
}  # fmt: skip
"""Names under which something is kept that reads or writes a database."""
LOGGING = {"debug", "error", "exception", "info", "warning"}
BLOCKING_TYPES = {"Conversations", "Inbox", "Threads"}
BLOCKING_CALLS = {"runtime.known", "runtime.library", "runtime.sources", "runtime.bot"}


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression; the name of what is called stands for what it returns."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case ast.Call(func=func):
            return dotted(func)
        case _:
            return "?"


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    return ((node, dotted(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call))


def keyword(call: ast.Call, name: str) -> object:
    """The constant that a keyword is given, "absent" without it, "?" if it is no constant."""
    for given in call.keywords:
        if given.arg == name:
            return given.value.value if isinstance(given.value, ast.Constant) else "?"
    return "absent"


def imported(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, str(node.module)
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def modules(tree: ast.AST, named: set[str]) -> Found:
    for node, name in imported(tree):
        for each in named:
            if name == each or name.startswith(f"{each}."):
                yield node, each


def runs_what_it_reads(tree: ast.Module) -> Found:
    yield from modules(tree, RUNS_WHAT_IT_READS)
    for call, name in calls(tree):
        last = name.rpartition(".")[2]
        if name in {"eval", "exec", "compile", "__import__"}:
            yield call, name
        if last == "load" and keyword(call, "weights_only") is not True and "torch" in name:
            yield call, "torch.load without weights_only"
        if keyword(call, "allow_pickle") not in {"absent", False}:
            yield call, "allow_pickle"
        if keyword(call, "trust_remote_code") not in {"absent", False}:
            yield call, "trust_remote_code"
        if name in {"yaml.load", "yaml.load_all"} and not _is_safe_loader(call, tree):
            yield call, f"{name} without a safe loader"
        if name in {"yaml.unsafe_load", "yaml.full_load"}:
            yield call, name


def _is_safe_loader(call: ast.Call, tree: ast.Module) -> bool:
    loader = dotted(call.args[1]) if len(call.args) > 1 else "?"
    safe = {"yaml.SafeLoader", "yaml.CSafeLoader"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and {dotted(base) for base in node.bases} & safe:
            safe.add(node.name)
    return loader in safe


def runs_a_shell(tree: ast.Module) -> Found:
    for call, name in calls(tree):
        if keyword(call, "shell") not in {"absent", False}:
            yield call, "shell=True"
        if name in {"os.system", "os.popen", "asyncio.create_subprocess_shell"}:
            yield call, name
        if name.startswith(("os.spawn", "os.exec", "subprocess.getoutput", "subprocess.getstatus")):
            yield call, name


def speaks_to_the_network(tree: ast.Module) -> Found:
    yield from modules(tree, FETCHES)


def trusts_any_certificate(tree: ast.Module) -> Found:
    for call, name in calls(tree):
        if keyword(call, "verify") is False or keyword(call, "check_hostname") is False:
            yield call, f"{name} without a check of the certificate"
        if name.endswith("_create_unverified_context"):
            yield call, name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "CERT_NONE":
            yield node, "CERT_NONE"


def takes_a_proxy_from_the_environment(tree: ast.Module) -> Found:
    for call, name in calls(tree):
        client = name.rpartition(".")[2] in {"AsyncClient", "Client"} and "httpx" in name
        if client and keyword(call, "trust_env") is not False:
            yield call, f"{name} without trust_env=False"


def tells_the_time_without_a_zone(tree: ast.Module) -> Found:
    for call, name in calls(tree):
        owner, _, last = name.rpartition(".")
        if owner.rpartition(".")[2] not in {"datetime", "date"}:
            continue
        wanted = {"now": 1, "fromtimestamp": 2}.get(last)
        if last in {"utcnow", "utcfromtimestamp", "today"}:
            yield call, name
        elif wanted and len(call.args) < wanted and keyword(call, "tz") == "absent":
            yield call, f"{name} without a zone"


def writes_beside_the_database_module(tree: ast.Module) -> Found:
    yield from modules(tree, {"sqlite3", "psycopg", "psycopg2"})
    for call, name in calls(tree):
        last = name.rpartition(".")[2]
        if last in {"create_engine", "sessionmaker", "scoped_session", "Session"}:
            yield call, name
        if last in {"commit", "rollback", "executescript", "begin_nested"}:
            yield call, name


def blocks_the_event_loop(tree: ast.Module) -> Found:
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            yield from _blocking(node.body)


def _blocking(body: list[ast.stmt]) -> Found:
    """What is called here and now: not what is awaited, nor what is inside other functions."""
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            waiting += ast.iter_child_nodes(node.value)
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = dotted(node.func)
            if node.func.attr in LOGGING:
                continue
            owner = dotted(node.func.value).rpartition(".")[2]
            if owner.strip("_") in BLOCKING or owner in BLOCKING_TYPES or name in BLOCKING_CALLS:
                yield node, name
        waiting += ast.iter_child_nodes(node)


def is_for_tests(name: str) -> bool:
    return "testing" in name or "/bench/" in name or name.endswith("_fake.py")


RULES: dict[Rule, dict[str, str]] = {
    # a rule, and the modules that may break it, each with its reason
    runs_what_it_reads: {},
    runs_a_shell: {},
    speaks_to_the_network: SPEAKERS,
    trusts_any_certificate: {},
    takes_a_proxy_from_the_environment: {
        "eval/session.py": "whoever evaluates a server may sit behind a proxy",
    },
    tells_the_time_without_a_zone: {},
    writes_beside_the_database_module: {
        "index/database.py": "it is that module",
        "index/engines.py": "makes the engines for it",
        "index/probe.py": "asks a database whether it answers, in no session",
        "index/backup.py": "copies a whole SQLite file while others write, by its own interface",
    },
    blocks_the_event_loop: {
        "bot/api/limits.py": "how often a session asked is counted in memory",
    },
}


@cache
def sources() -> dict[str, ast.Module]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in found
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_breaks_a_rule_without_a_reason(rule: Rule) -> None:
    broken = {
        name: [f"{name}:{getattr(node, 'lineno', 0)}: {said}" for node, said in rule(tree)]
        for name, tree in sources().items()
        if not is_for_tests(name)
    }
    assert [
        line for name, lines in broken.items() if name not in RULES[rule] for line in lines
    ] == []
    assert [name for name in RULES[rule] if not broken.get(name)] == []  # a reason out of date


EXAMPLES: dict[Rule, tuple[tuple[str, ...], tuple[str, ...]]] = {
    runs_what_it_reads: (
        ("import pickle", "from joblib import load", "eval('1')", "torch.load(p)",
         "np.load(p, allow_pickle=True)", "np.load(p, allow_pickle=flag)", "yaml.load(text)",
         "yaml.load(text, yaml.Loader)", "torch.load(p, weights_only=False)",
         "AutoModel.from_pretrained(x, trust_remote_code=True)"),
        ("import pickletools_of_ours", "network.eval()", "np.load(p, allow_pickle=False)",
         "torch.load(p, weights_only=True)", "yaml.load(text, yaml.SafeLoader)",
         "class L(yaml.SafeLoader): ...\nyaml.load(text, L)", "json.load(p)"),
    ),
    runs_a_shell: (
        ("subprocess.run(x, shell=True)", "os.system(x)", "subprocess.run(x, shell=flag)"),
        ("subprocess.run([x])", "subprocess.run([x], shell=False)"),
    ),
    speaks_to_the_network: (
        ("import requests", "from urllib.request import urlopen", "import httpx2",
         "import http.client"),
        ("from urllib.parse import quote", "from http import HTTPStatus", "import httpx2_of_ours"),
    ),
    trusts_any_certificate: (
        ("Client(verify=False)", "ssl._create_unverified_context()",
         "c.verify_mode = ssl.CERT_NONE"),
        ("Client(verify=context)", "Client()"),
    ),
    takes_a_proxy_from_the_environment: (
        ("httpx2.Client()", "httpx2.AsyncClient(trust_env=True)"),
        ("httpx2.AsyncClient(trust_env=False)", "docker.Client()"),
    ),
    tells_the_time_without_a_zone: (
        ("datetime.now()", "datetime.utcnow()",
         "datetime.datetime.fromtimestamp(5)", "date.today()"),
        ("datetime.now(UTC)", "datetime.now(tz=UTC)",
         "datetime.fromtimestamp(5, UTC)", "clock.now()"),
    ),
    writes_beside_the_database_module: (
        ("import sqlite3", "create_engine(url)", "session.commit()",
         "with Session(engine) as s: ..."),
        ("with database.write() as session: session.execute(insert(Row))",),
    ),
    blocks_the_event_loop: (
        ("async def f(): runtime.conversations.get(x)", "async def f(): Inbox(d).first('a', 'b')",
         "async def f():\n with self._database.read() as s: ...",
         "async def f(): await g(runtime.outbox.log())"),
        ("async def f(): await to_thread.run_sync(runtime.conversations.get, x)",
         "def f(): runtime.conversations.get(x)", "async def f(): await self._jobs.next()",
         "async def f():\n def g(): runtime.outbox.log()\n await to_thread.run_sync(g)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_sees_what_breaks_it_and_nothing_else(rule: Rule) -> None:
    broken, fine = EXAMPLES[rule]
    assert [code for code in broken if not [*rule(ast.parse(code))]] == []
    assert [code for code in fine if [*rule(ast.parse(code))]] == []
