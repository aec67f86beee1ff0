"""`/api/documents…`: list, read, upload, delete."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from bot.api.problems import invalid, of_status, problem_json, problem_response
from bot.api.schema import (
    AddressRequest,
    Collection,
    DeleteReply,
    DocumentList,
    DocumentReply,
    IngestReply,
    TextRequest,
    problems,
)
from bot.api.state import State, TheRuntime, TheState
from bot.catalogue import open_document
from bot.intake import Intake, take_in, take_page, take_text
from bot.problems import Problem, problem_of
from bot.runtime import Runtime
from bot.wire import Json, document_json, info_json
from corpus.errors import UnreadableSourceError

if TYPE_CHECKING:
    from bot.fetch import Page

FILES = 200
"""At most, in one upload."""

Chosen = Annotated[Collection | None, Query(description="文档集")]

router = APIRouter(tags=["文档"])

_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                    "required": ["files"],
                }
            },
            "application/json": {
                "schema": {
                    "anyOf": [
                        TextRequest.model_json_schema(),
                        AddressRequest.model_json_schema(),
                    ]
                }
            },
        },
    }
}


@router.get(
    "/api/documents",
    summary="列出文档",
    responses={200: {"model": DocumentList}, **problems(404, 422, 503)},
)
def list_all(runtime: TheRuntime, collection: Chosen = None) -> Response:
    """List the documents of a collection, ordered by id."""
    name = runtime.known(collection)
    sources = runtime.sources(name)
    items = [info_json(info, sources) for info in sources.infos.values()]
    return JSONResponse({"collection": name, "documents": items})


@router.get(
    "/api/documents/{document_id:path}",
    summary="读取文档",
    responses={200: {"model": DocumentReply}, **problems(404, 422, 503)},
)
def read(document_id: str, runtime: TheRuntime, collection: Chosen = None) -> Response:
    """Return a document with its text, which every offset points into."""
    name = runtime.known(collection)
    document, info = open_document(runtime.database, name, document_id)
    return JSONResponse(document_json(document, info, runtime.sources(name, set())))


@router.delete(
    "/api/documents/{document_id:path}",
    summary="删除文档",
    responses={200: {"model": DeleteReply}, **problems(401, 403, 404, 422, 503, 507)},
)
async def delete(
    document_id: str, state: TheState, runtime: TheRuntime, collection: Chosen = None
) -> Response:
    """Delete a document. Once this returns, no answer comes from it."""
    return await state.changes.admit(_delete, runtime, collection, document_id)


def _delete(runtime: Runtime, collection: str | None, document_id: str) -> Response:
    report = runtime.library(runtime.known(collection)).delete([document_id])
    return JSONResponse({"deleted": list(report.deleted), "passages": report.passages})


@router.post(
    "/api/documents",
    summary="加入文档",
    openapi_extra=_UPLOAD,
    responses={
        200: {"model": IngestReply},
        207: {"model": IngestReply, "description": "Some files could not be read"},
        **problems(400, 401, 403, 413, 415, 422, 503, 507),
    },
)
async def add(
    request: Request, state: TheState, runtime: TheRuntime, collection: Chosen = None
) -> Response:
    """Add files (multipart), a text or an address (JSON); what is there already is replaced.

    A file that cannot be read is named with its reason, and the others are added: status 207.
    With nothing readable at all it is 422.
    """
    if _is_from_elsewhere(request):
        return problem_response(_CROSS_SITE)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=FILES, max_fields=FILES) as form:
            parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
            files = [(part.filename or "", await part.read()) for part in parts]
        if not files:
            return problem_response(_NO_FILE)
        return await state.changes.admit(_ingest_files, runtime, collection, files)
    if kind == "application/json":
        return await _add_json(state, runtime, collection, await request.body())
    return problem_response(_WRONG_KIND)


def _is_from_elsewhere(request: Request) -> bool:
    """Whether a page of another site sent it: browsers ask nobody before they send a form."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


_CROSS_SITE = of_status(403)
_NO_FILE = of_status(400, detail="没有收到文件。", detail_en="There is no file in the form.")
_WRONG_KIND = of_status(
    415,
    detail="请用 multipart/form-data 上传文件，或用 JSON 提交 title 和 text，或 url。",
    detail_en="Upload files as multipart/form-data, or send a title and a text, or a url, as JSON.",
)


def _ingest_files(
    runtime: Runtime, collection: str | None, files: list[tuple[str, bytes]]
) -> Response:
    return _ingest(runtime, collection, take_in(files))


async def _add_json(
    state: State, runtime: Runtime, collection: str | None, body: bytes
) -> Response:
    try:
        given = _given(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        return problem_response(invalid([{**e, "loc": ("body", *e["loc"])} for e in errors]))
    except ValueError:
        return problem_response(_NO_JSON)
    if isinstance(given, TextRequest):
        return await state.changes.admit(_ingest_text, runtime, collection, given)
    return await _ingest_address(state, runtime, given.collection or collection, given.url)


_NO_JSON = of_status(400, detail="请求的内容不是 JSON。", detail_en="The body is not JSON.")


def _given(body: bytes) -> TextRequest | AddressRequest:
    """Read the body as the one of the two that it means to be.

    Raises:
        ValidationError: It is JSON, and neither.
        ValueError: It is no JSON.
    """
    found = from_json(body)
    if isinstance(found, dict) and "url" in found:
        return AddressRequest.model_validate(found)
    return TextRequest.model_validate(found)


def _ingest_text(runtime: Runtime, collection: str | None, given: TextRequest) -> Response:
    return _ingest(runtime, collection, take_text(given.title, given.text, given.source))


async def _ingest_address(
    state: State, runtime: Runtime, collection: str | None, url: str
) -> Response:
    from bot.fetch import fetched  # noqa: PLC0415  # a service that fetches nothing needs none

    try:
        page = await fetched(runtime.settings, url)
    except UnreadableSourceError as error:
        return problem_response(_nothing_readable([_unreadable(error)]))
    return await state.changes.admit(_ingest_page, runtime, collection, page)


def _ingest_page(runtime: Runtime, collection: str | None, page: "Page") -> Response:
    return _ingest(runtime, collection, take_page(page))


def _ingest(runtime: Runtime, collection: str | None, intake: Intake) -> Response:
    unreadable = [_unreadable(error) for error in intake.unreadable]
    if not intake.documents:
        return problem_response(_nothing_readable(unreadable))
    report = runtime.library(collection).ingest(intake.documents)
    reply = {
        "added": list(report.added),
        "replaced": list(report.replaced),
        "unchanged": list(report.unchanged),
        "unreadable": unreadable,
        "passages": report.passages,
        "embedded": report.embedded,
    }
    return JSONResponse(reply, 207 if unreadable else 200)


def _unreadable(error: UnreadableSourceError) -> Json:
    said = problem_json(problem_of(error))
    words = {key: said[key] for key in ("reason", "detail", "detail_en")}
    return {"name": error.source, **words}


def _nothing_readable(unreadable: list[Json]) -> Problem:
    return Problem(
        "unreadable",
        422,
        "读不了这些内容",
        "；".join(str(each["detail"]).rstrip("。") for each in unreadable) + "。",
        "; ".join(str(each["detail_en"]) for each in unreadable),
        fields={"unreadable": unreadable},
    )
