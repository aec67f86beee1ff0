"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the service."""

from contextlib import suppress

from fastapi import APIRouter
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot.api.metrics import CONTENT_TYPE
from bot.api.problems import problem_json
from bot.api.state import State, TheState
from bot.api.stock import take_stock
from bot.errors import OverloadedError, ShuttingDownError
from bot.problems import problem_of
from bot.runtime import Runtime
from index.probe import probe

router = APIRouter(tags=["运行"])

_NO_STORE = {"cache-control": "no-store"}
_FINE = frozenset({"ok", "empty"})
_OPTIONAL = frozenset({"llm"})
"""Checks without which questions are answered all the same, if not as well."""


@router.get("/healthz", summary="进程是否在运行")
async def healthz() -> dict[str, str]:
    """Say that the process is up, whatever else is wrong."""
    return {"status": "ok"}


@router.get("/readyz", summary="能否回答问题", responses={503: {}})
async def readyz(state: TheState) -> Response:
    """Say whether questions can be answered, by named checks; an empty index can be asked."""
    checks = await check(state)
    wrong = {name for name, said in checks.items() if said not in _FINE}
    status = "unready" if wrong - _OPTIONAL else "degraded" if wrong else "ready"
    return JSONResponse(
        {"status": status, "checks": checks}, 503 if status == "unready" else 200, _NO_STORE
    )


@router.get("/metrics", summary="Prometheus 指标", response_class=PlainTextResponse)
async def metrics(state: TheState) -> Response:
    """Return the counters. What the database holds is as of now, or as of when it last answered."""
    with suppress(Exception):  # it is loading, or the database is away: /readyz tells
        state.shelf.stock = await state.probes.admit(take_stock, state.runtime.database)
    return Response(state.metrics.text(), media_type=CONTENT_TYPE, headers=_NO_STORE)


async def check(state: State) -> dict[str, str]:
    """Return name of a check to `ok`, `empty`, or the code of a problem.

    `llm` is what the last calls to the language model came to: asking costs no call of its own.
    """
    if state.lifetime.is_stopping:
        return {"service": _word(ShuttingDownError())}
    try:
        runtime = state.runtime
    except Exception as error:  # noqa: BLE001  # whatever it is, this is where it is told
        return {"start": _word(error)}
    try:
        checks = await state.probes.admit(_checks, runtime)
    except (TimeoutError, OverloadedError) as error:
        checks = {"database": _word(error)}
    if runtime.writer is not None:
        checks["llm"] = "paused" if runtime.writer.is_resting else "ok"
    return {"start": "ok", **checks}


def _checks(runtime: Runtime) -> dict[str, str]:
    try:
        probe(runtime.settings.database)
    except Exception as error:  # noqa: BLE001  # likewise
        return {"database": _word(error)}
    try:
        generation = runtime.bot().library.generation()
    except Exception as error:  # noqa: BLE001  # likewise
        return {"database": "ok", "index": _word(error)}
    held = "ok" if generation and len(generation.rows) else "empty"
    return {"database": "ok", "index": held}


def _word(error: Exception) -> str:
    return str(problem_json(problem_of(error))["code"])
