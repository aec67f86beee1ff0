"""`GET /api/suggestions`: questions to begin with."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from bot.api.schema import Collection, Suggestions, problems
from bot.api.state import TheRuntime, TheState
from bot.runtime import Runtime
from bot.suggestions import SuggestionCache
from bot.wire import Json

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
    return JSONResponse(await state.workers.admit(_suggested, cache, runtime, collection))


def _suggested(cache: SuggestionCache, runtime: Runtime, collection: str | None) -> Json:
    name = runtime.known(collection)
    return {"collection": name, "questions": list(cache.of(runtime.bot(name)))}
