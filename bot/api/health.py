"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the service."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from bot.api.metrics import CONTENT_TYPE
from bot.api.problems import problem_json
from bot.api.state import State, TheState
from bot.problems import Problem, problem_of

router = APIRouter(tags=["运行"])

_NO_STORE = {"cache-control": "no-store"}


@router.get("/healthz", summary="进程是否在运行")
async def healthz() -> dict[str, str]:
    """Say that the process is up, whatever else is wrong."""
    return {"status": "ok"}


@router.get("/readyz", summary="能否回答问题", responses={503: {}})
def readyz(state: TheState) -> Response:
    """Say whether questions can be answered, by named checks; an empty index can be asked."""
    checks = check(state)
    ready = all(said in {"ok", "empty"} for said in checks.values())
    return JSONResponse(
        {"status": "ready" if ready else "unready", "checks": checks},
        200 if ready else 503,
        _NO_STORE,
    )


@router.get("/metrics", summary="Prometheus 指标")
async def metrics(state: TheState) -> Response:
    """Return the counters."""
    return Response(state.metrics.text(), media_type=CONTENT_TYPE, headers=_NO_STORE)


def check(state: State) -> dict[str, str]:
    """Return name of a check to `ok`, `empty`, `loading` or the code of a problem."""
    try:
        runtime = state.runtime
    except Exception as error:  # noqa: BLE001  # whatever it is, this is where it is told
        return {"start": _word(problem_of(error))}
    try:
        generation = runtime.bot().library.generation()
    except Exception as error:  # noqa: BLE001  # likewise
        return {"start": "ok", "index": _word(problem_of(error))}
    return {"start": "ok", "index": "ok" if generation and len(generation.rows) else "empty"}


def _word(problem: Problem) -> str:
    return str(problem_json(problem)["code"])
