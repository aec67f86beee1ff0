"""`/api/admin/conversations`: all that is kept of one person, handed out or deleted."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from bot.api.admin_schema import ErasedReply, HeldReply
from bot.api.schema import problems
from bot.api.state import TheRuntime
from bot.people import held_json

_NO_STORE = {"cache-control": "no-store"}

router = APIRouter(
    prefix="/api/admin/conversations", tags=["管理"], responses=problems(401, 403, 422, 503)
)

Whose = Annotated[
    str,
    Query(
        min_length=1,
        max_length=320,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="谁：会话的所有者（如 key:0123456789ab），或聊天工具里的人（如 slack:T1:U2）",
    ),
]


@router.get("", summary="导出一个人的对话", responses={200: {"model": HeldReply}})
def export(whose: Whose, runtime: TheRuntime) -> Response:
    """Return all that is kept of somebody; of what was asked among others only their part."""
    held = runtime.conversations.held(whose)
    return JSONResponse(held_json(whose, held, runtime.sources), headers=_NO_STORE)


@router.delete("", summary="删除一个人的对话", responses={200: {"model": ErasedReply}})
def erase(whose: Whose, runtime: TheRuntime) -> Response:
    """Delete all that is kept of somebody, and tell how much it was; nothing is no error."""
    return JSONResponse(asdict(runtime.conversations.erase(whose)), headers=_NO_STORE)
