"""`/api/sessions/…` and `/api/feedback`: conversations, and what people think of answers."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from bot.api.schema import FeedbackRequest, SessionReply, problems
from bot.api.state import TheRuntime
from bot.people import cited
from bot.wire import conversation_json

router = APIRouter(tags=["会话"])


@router.get(
    "/api/sessions/{session_id}",
    summary="读取会话",
    responses={200: {"model": SessionReply}, **problems(404, 503)},
)
def read(session_id: str, runtime: TheRuntime) -> Response:
    """Return a conversation, oldest turn first."""
    found = runtime.conversations.get(session_id)
    reply = conversation_json(found, runtime.sources(found.collection, cited(found)))
    return JSONResponse(reply, headers={"cache-control": "no-store"})


@router.delete(
    "/api/sessions/{session_id}",
    summary="删除会话",
    status_code=204,
    responses=problems(404, 503),
)
def delete(session_id: str, runtime: TheRuntime) -> None:
    """Delete a conversation with all that was said in it."""
    runtime.conversations.delete(session_id)


@router.post(
    "/api/feedback",
    summary="评价回答",
    status_code=204,
    responses=problems(400, 404, 413, 415, 422, 503),
)
def feedback(body: FeedbackRequest, runtime: TheRuntime) -> None:
    """Keep what somebody thinks of an answer, in place of what they thought before."""
    runtime.conversations.feedback(body.turn_id, body.vote, body.comment)
