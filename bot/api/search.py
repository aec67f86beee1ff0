"""`GET /api/search`: the passages that an answer would come from."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from bot.api.schema import ASKED, Collection, SearchReply, problems
from bot.api.state import TheRuntime, TheState
from bot.passages import find

router = APIRouter(tags=["提问"])


@router.get(
    "/api/search",
    summary="搜索段落",
    responses={200: {"model": SearchReply}, **problems(404, 422, 503, 504)},
)
async def search(
    state: TheState,
    runtime: TheRuntime,
    q: Annotated[str, Query(description="要找的内容", json_schema_extra=ASKED)],
    top_k: Annotated[int, Query(ge=1, le=50)] = 10,
    explain: Annotated[bool, Query(description="列出各检索器的名次和得分")] = False,  # noqa: FBT002  # a query parameter
    collection: Annotated[Collection | None, Query()] = None,
) -> Response:
    """Return passages, best first; `explain` shows what each retriever said of them."""
    found = await state.workers.admit(
        find, runtime, q, top_k=top_k, explain=explain, collection=collection
    )
    return JSONResponse(found)
