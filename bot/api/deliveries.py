"""`/api/admin/deliveries`: what endpoints were told, what failed, and telling it again."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from bot.api.schema import problems
from bot.api.state import TheRuntime
from bot.channels.outbox import Fate, delivery_json

_NO_STORE = {"cache-control": "no-store"}

router = APIRouter(
    prefix="/api/admin/deliveries",
    tags=["管理"],
    responses=problems(401, 403, 422, 503),
)


class DeliveryReply(BaseModel):
    """An event on its way to an endpoint; times are UTC. `dead` is not tried again by itself."""

    model_config = ConfigDict(extra="forbid")

    id: int
    event_id: str
    endpoint: str
    event: str
    created_at: str
    state: Literal["waiting", "delivered", "dead"]
    tries: int
    next_try_at: str | None
    status: int | None
    reason: str


class DeliveriesReply(BaseModel):
    """Deliveries, newest first; `next` is the `before` of the next page."""

    model_config = ConfigDict(extra="forbid")

    deliveries: list[DeliveryReply]
    next: int | None


@router.get("", summary="Webhook 的投递记录", responses={200: {"model": DeliveriesReply}})
def log(
    runtime: TheRuntime,
    state: Annotated[Fate | None, Query(description="只看这种状态的")] = None,
    endpoint: Annotated[str | None, Query(max_length=64, description="只看发给它的")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="接着上一页")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """List deliveries, newest first."""
    found = runtime.outbox.log(fate=state, endpoint=endpoint, before=before, most=limit + 1)
    shown = found[:limit]
    more = shown[-1].position if len(found) > limit else None
    listed = [delivery_json(each) for each in shown]
    return JSONResponse({"deliveries": listed, "next": more}, headers=_NO_STORE)


@router.post(
    "/{position}/replay",
    summary="重新投递",
    responses={200: {"model": DeliveryReply}, **problems(404)},
)
def replay(
    position: Annotated[int, Path(ge=1, le=2**62, description="投递的 id")], runtime: TheRuntime
) -> Response:
    """Deliver once more, at once and with all its tries, whatever became of it before."""
    return JSONResponse(delivery_json(runtime.outbox.replay(position)), headers=_NO_STORE)
