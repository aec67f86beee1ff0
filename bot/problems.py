"""What a user is told when something fails: one table for the terminal and for HTTP."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import (
    AdminKeyError,
    DeliveryNotFoundError,
    EmbedderError,
    ExtraNotInstalledError,
    NoAdminKeyError,
    NotReadyError,
    OverloadedError,
    PlatformError,
    QuestionError,
    ReplyUrlError,
    ReportError,
    ReusedIdError,
    SessionNotFoundError,
    SettingsError,
    SignatureError,
    TokenError,
    TurnNotFoundError,
    UnknownModelError,
    UnsupportedError,
)
from corpus.errors import Trouble, UnreadableSourceError
from index.errors import (
    CollectionNotFoundError,
    CorruptIndexError,
    DocumentNotFoundError,
    LibraryBusyError,
    ModelError,
    ModelMismatchError,
)

FAILED = 1
UNUSABLE = 2
BUSY = 3
"""Exit statuses; 2 is also what argparse gives for a wrong option."""

TROUBLES: Mapping[Trouble, str] = {
    "missing": "没有这个文件",
    "permission": "没有读取的权限",
    "outside": "链接指向文件夹之外",
    "unsupported": "不支持这种文件",
    "too_large": "太大，超出限制",
    "empty": "里面没有文字",
    "binary": "不是文本文件",
    "encoding": "认不出文字编码",
    "locked": "有密码保护",
    "scanned": "是扫描件，没有文字层",
    "damaged": "文件已损坏",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure in words.

    Attributes:
        code: Short name for programs, never changed once released.
        status: Of HTTP.
        title: The kind of failure, in Chinese.
        detail: What happened and what to do, in Chinese.
        detail_en: The same in English.
        exit_status: Of a command.
        fields: More for programs, JSON values only; goes into the problem object as it is.
        retry_seconds: After which another try is worth it.
    """

    code: str
    status: int
    title: str
    detail: str
    detail_en: str
    exit_status: int = FAILED
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)
    retry_seconds: int | None = None


INTERNAL = Problem(
    "internal",
    500,
    "内部错误",
    "出了意料之外的错误，已记入日志。",
    "Something unexpected went wrong; the log has it.",
)
"""Says nothing of what it was: that could be anybody's data."""


@singledispatch
def problem_of(error: BaseException) -> Problem:
    """Return what to tell of `error`; `INTERNAL` for what is no error of wenqu."""
    del error
    return INTERNAL


@problem_of.register
def _(error: QuestionError) -> Problem:
    said = {
        "empty": "问题是空的，请写下想问的内容。",
        "too_long": "问题太长，请缩短后再问。",
        "broken": "问题里有无法识别的字符，请重新输入。",
    }
    return Problem(f"question_{error.code}", 422, "无法回答这个问题", said[error.code], str(error))


@problem_of.register
def _(error: SettingsError) -> Problem:
    detail = f"设置 {error.name}（来自 {error.origin}）不对：{error.reason}"
    return Problem("settings", 500, "设置有误", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: SessionNotFoundError) -> Problem:
    detail = "没有这个会话，可能已过期或已删除。去掉 session_id 即可开始新的会话。"
    fields = {"session_id": error.session_id}
    return Problem("session_not_found", 404, "没有这个会话", detail, str(error), fields=fields)


@problem_of.register
def _(error: TurnNotFoundError) -> Problem:
    fields = {"turn_id": error.turn_id}
    detail = "没有这个回答，可能已删除。"
    return Problem("turn_not_found", 404, "没有这个回答", detail, str(error), fields=fields)


@problem_of.register
def _(error: AdminKeyError) -> Problem:
    detail = "需要管理密钥，或密钥不对。请在请求头里写 Authorization: Bearer 密钥。"
    return Problem("admin_key", 401, "需要管理密钥", detail, str(error))


@problem_of.register
def _(error: NoAdminKeyError) -> Problem:
    detail = "还没有管理密钥，所以不开放。请设置 WENQU_ADMIN_KEY（至少 16 个字符），再重启。"
    return Problem("no_admin_key", 403, "没有设置管理密钥", detail, str(error))


@problem_of.register
def _(error: ReportError) -> Problem:
    how = "运行 wenqu eval --out 文件夹，再把 WENQU_EVAL_REPORT 设为其中的 results.json。"
    detail = f"读不了 {error.name}（{error.reason}）。{how}" if error.name else how
    return Problem("no_report", 404, "没有评测结果", detail, str(error))


@problem_of.register
def _(error: EmbedderError) -> Problem:
    detail = "这个网站还不能使用问渠：请把它的地址加入设置 widget_origins。"
    return Problem("embedder_not_allowed", 403, "不允许", detail, str(error))


@problem_of.register
def _(error: TokenError) -> Problem:
    del error  # which check failed is nobody's business
    detail = "令牌无效或已过期，请重新领取。"
    return Problem("bad_token", 401, "令牌无效", detail, "The token is not valid: get a new one.")


@problem_of.register
def _(error: SignatureError) -> Problem:
    del error  # the same words whatever failed: they help nobody to forge
    detail = "签名不对或已过期。请检查密钥，以及两边的时钟。"
    english = "The signature is wrong or too old: check the key, and the clocks on both sides."
    return Problem("bad_signature", 401, "签名不对", detail, english)


@problem_of.register
def _(error: ExtraNotInstalledError) -> Problem:
    detail = f"这项功能需要 {error.library}：运行 pip install 'wenqu[{error.extra}]' 安装。"
    return Problem("extra_not_installed", 501, "没有安装", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: ReusedIdError) -> Problem:
    detail = "这个 webhook-id 已经用过，内容却不一样。每个问题请用一个新的 id，重发时内容要相同。"
    return Problem("reused_id", 409, "编号用过了", detail, str(error))


@problem_of.register
def _(error: ReplyUrlError) -> Problem:
    del error  # what was asked for is nothing to repeat
    detail = "reply_url 不在已设置的地址里：回答只送到设置 webhooks 里写明的 url。"
    english = "The reply_url is none of those set up: answers go to a url of the setting webhooks."
    return Problem("reply_url_not_allowed", 403, "不允许", detail, english)


@problem_of.register
def _(error: DeliveryNotFoundError) -> Problem:
    detail = f"没有第 {error.position} 次投递，可能已过期。"
    return Problem("delivery_not_found", 404, "没有这次投递", detail, str(error))


@problem_of.register
def _(error: UnknownModelError) -> Problem:
    detail = f"没有模型 {error.model[:200]}：请用 wenqu，或 wenqu/文档集的名称。"
    return Problem("model_not_found", 404, "没有这个模型", detail, str(error))


@problem_of.register
def _(error: UnsupportedError) -> Problem:
    said = {
        "n": "每次只有一个回答。",
        "tool_choice": "这里不调用工具。",
        "response_format": "回答只是文字。",
        "messages": "只能读文字，读不了图片、声音和文件。",
    }
    fields = {"parameter": error.parameter}
    detail = f"不支持这样的 {error.parameter}：{said[error.parameter]}"
    return Problem("unsupported_parameter", 400, "不支持", detail, str(error), fields=fields)


@problem_of.register
def _(error: PlatformError) -> Problem:
    detail = "对方平台没有正常回应，请稍后再试。"
    return Problem("platform", 503, "平台没有回应", detail, str(error), retry_seconds=15)


@problem_of.register
def _(error: NotReadyError) -> Problem:
    detail = "服务刚刚启动，模型还在载入，请稍候再试。"
    return Problem("not_ready", 503, "正在启动", detail, str(error), retry_seconds=2)


@problem_of.register
def _(error: OverloadedError) -> Problem:
    detail = f"提问的人太多，请 {error.retry_seconds} 秒后再试。"
    return Problem(
        "overloaded", 503, "请稍后再试", detail, str(error), retry_seconds=error.retry_seconds
    )


@problem_of.register
def _(error: UnreadableSourceError) -> Problem:
    detail = f"读不了 {error.source}：{TROUBLES[error.trouble]}。"
    fields = {"source": error.source, "reason": error.trouble}
    return Problem("unreadable", 422, "读不了这个文件", detail, str(error), fields=fields)


@problem_of.register
def _(error: ModelError) -> Problem:
    detail = f"嵌入模型不能用：{error}"
    return Problem("model", 503, "嵌入模型不能用", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: ModelMismatchError) -> Problem:
    detail = (
        f"索引是用 {error.built_with} 建的，现在的设置是 {error.given}。"
        "请改回原来的设置，或运行 `wenqu ingest --rebuild` 重建索引。"
    )
    return Problem("model_mismatch", 503, "索引与设置不符", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: CorruptIndexError) -> Problem:
    detail = f"索引已损坏（{error.reason}）。请运行 `wenqu ingest --rebuild` 重建，文档不会丢失。"
    return Problem("index_damaged", 503, "索引已损坏", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: LibraryBusyError) -> Problem:
    detail = "另一个进程正在更新这个文档集，请稍后再试。"
    return Problem("library_busy", 503, "正在更新文档", detail, str(error), BUSY, retry_seconds=30)


@problem_of.register
def _(error: DocumentNotFoundError) -> Problem:
    detail = f"没有文档 {error.document_id}，可能已删除。"
    fields = {"document_id": error.document_id}
    return Problem("document_not_found", 404, "没有这个文档", detail, str(error), fields=fields)


@problem_of.register
def _(error: CollectionNotFoundError) -> Problem:
    detail = f"没有文档集 {error.collection}。先用 `wenqu ingest --collection` 加入文档。"
    fields = {"collection": error.collection}
    return Problem(
        "collection_not_found", 404, "没有这个文档集", detail, str(error), UNUSABLE, fields
    )


@problem_of.register
def _(error: SQLAlchemyError) -> Problem:
    # what the database said may hold a question or a password: only the kind of error is told
    english = f"the database does not answer: {type(error).__name__}"
    detail = f"数据库不能用（{type(error).__name__}），请检查 `wenqu doctor`。"
    return Problem("database", 503, "数据库不能用", detail, english, UNUSABLE, retry_seconds=5)


@problem_of.register
def _(error: TimeoutError) -> Problem:
    del error
    detail = "回答用时太久，已停止。请稍后再试，或把问题改得简单些。"
    english = "the answer took too long and was given up"
    return Problem("deadline", 504, "超时", detail, english, retry_seconds=5)


@problem_of.register
def _(error: OSError) -> Problem:
    english = error.strerror or type(error).__name__
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        detail = "磁盘已满，什么都没有改动。请腾出空间后再试。"
        return Problem("disk_full", 507, "磁盘已满", detail, english)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Problem("no_permission", 503, "没有权限", "没有读写的权限。", english)
    return Problem("system", 503, "系统错误", f"系统拒绝了操作：{english}。", english)
