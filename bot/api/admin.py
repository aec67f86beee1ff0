"""`/admin` and what it shows: only for those who have the admin key."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from bot.api.admin_schema import IndexReply, QuestionsReply, ReportReply
from bot.api.assets import PAGE_POLICY, page
from bot.api.schema import Collection, problems
from bot.api.state import TheRuntime
from bot.overview import overview
from bot.report import report_json
from bot.wanted import wanted

_COMPLAINTS = 2000
"""Turns that are looked at, the newest."""
_NO_STORE = {"cache-control": "no-store"}

pages = APIRouter(include_in_schema=False)
router = APIRouter(
    prefix="/api/admin",
    tags=["管理"],
    responses=problems(401, 403, 503),
)

Chosen = Annotated[Collection | None, Query(description="文档集")]


@pages.get("/admin")
async def admin() -> Response:
    """Show the page; it asks for the key and then for what is below `/api/admin`."""
    return page("admin.html", f"{PAGE_POLICY}; frame-ancestors 'none'")


@router.get(
    "/index",
    summary="索引的状态",
    responses={200: {"model": IndexReply}, **problems(404, 422)},
)
def index(runtime: TheRuntime, collection: Chosen = None) -> Response:
    """Tell what a collection holds and how its index is made."""
    return JSONResponse(overview(runtime, runtime.known(collection)), headers=_NO_STORE)


@router.get(
    "/questions",
    summary="没有答好的问题",
    responses={200: {"model": QuestionsReply}, **problems(404, 422)},
)
def questions(runtime: TheRuntime, collection: Chosen = None) -> Response:
    """List the questions that were refused or whose answer was disliked, newest first."""
    name = runtime.known(collection)
    complaints = runtime.conversations.complaints(name, _COMPLAINTS)
    listed = [asdict(each) for each in wanted(complaints)]
    return JSONResponse({"collection": name, "questions": listed}, headers=_NO_STORE)


@router.get(
    "/report",
    summary="最近一次评测",
    responses={200: {"model": ReportReply}, **problems(404)},
)
def report(runtime: TheRuntime) -> Response:
    """Return the measures of the last `wenqu eval`, as the setting `eval_report` names it."""
    return JSONResponse(report_json(runtime.settings.eval_report), headers=_NO_STORE)
