"""`GET /api/suggestions`: questions to begin with."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from bot.api.schema import Collection, Suggestions, problems
from bot.api.state import TheRuntime, TheState
from bot.suggestions import SuggestionCache

router = APIRouter(tags=["提问"])


@router.get(
    "/api/suggestions",
    summary="可以这样问",
    responses={200: {"model": Suggestions}, **problems(404, 422, 503, 504)},
)
async def suggestions(
    request: Request,
    state: TheState,
    runtime: TheRuntime,
    collection: Annotated[Collection | None, Query(description="文档集")] = None,
) -> Response:
    """Return questions that the documents of a collection answer; none if it is empty."""
    cache: SuggestionCache = request.app.state.suggestions
    name = await state.workers.go_on(runtime.known, collection)
    found = await state.workers.admit(cache.of, runtime.bot(name))
    return JSONResponse({"collection": name, "questions": list(found)})
