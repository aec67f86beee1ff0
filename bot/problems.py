"""What a user is told when something fails: one table for the terminal and for HTTP."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch

from sqlalchemy.exc import DataError, SQLAlchemyError

from bot.errors import (
    AdminKeyError,
    BadKeyError,
    DeliveryNotFoundError,
    EmbedderError,
    ExtraNotInstalledError,
    KeyExpiredError,
    KeyInUrlError,
    KeyNeededError,
    KeyNotFoundError,
    KeyScopeError,
    NoAdminKeyError,
    NotReadyError,
    OverloadedError,
    PlatformError,
    QuestionError,
    RateLimitError,
    ReplyUrlError,
    ReportError,
    ReusedIdError,
    SessionNotFoundError,
    SettingsError,
    ShuttingDownError,
    SignatureError,
    TokenError,
    TurnKeptError,
    TurnNotFoundError,
    UnknownModelError,
    UnsupportedError,
)
from bot.storing import is_full, is_read_only
from corpus.errors import ParserError, Trouble, UnreadableSourceError
from index.errors import (
    BackupError,
    CollectionNotFoundError,
    CorruptIndexError,
    DocumentNotFoundError,
    DriverError,
    LibraryBusyError,
    ModelError,
    ModelMismatchError,
    SchemaError,
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
    "address": "网址不对：应以 http:// 或 https:// 开头，不带用户名和密码",
    "closed": "网址指向内部网络，或端口不在许可之列；要读须由管理员设置 fetch_hosts 或 fetch_ports",
    "unreachable": "连不上这个网址，请检查域名、证书和网络",
    "slow": "这个网址太慢，超出时限",
    "refused": "这个网址没有给出内容，可能已经移走，或需要登录",
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
def _(error: TurnKeptError) -> Problem:
    detail = "这个问题刚刚已经答过了，请带着同样的 Idempotency-Key 再发一次，取那个回答。"
    return Problem("turn_kept", 409, "已经答过", detail, str(error), retry_seconds=1)


@problem_of.register
def _(error: AdminKeyError) -> Problem:
    detail = "需要有权限的密钥，或密钥不对。请在请求头里写 Authorization: Bearer 密钥。"
    return Problem("admin_key", 401, "需要管理密钥", detail, str(error))


@problem_of.register
def _(error: NoAdminKeyError) -> Problem:
    detail = (
        "还没有密钥，所以不开放。请设置 WENQU_ADMIN_KEY（至少 16 个字符）再重启，"
        "或运行 wenqu keys add。"
    )
    return Problem("no_admin_key", 403, "没有设置管理密钥", detail, str(error))


@problem_of.register
def _(error: KeyNeededError) -> Problem:
    detail = "提问要带密钥：在请求头里写 Authorization: Bearer wq_…，密钥向管理员索取。"
    return Problem("key_needed", 401, "需要密钥", detail, str(error))


@problem_of.register
def _(error: BadKeyError) -> Problem:
    detail = "密钥无效。请核对有没有抄漏，或向管理员索取新的。"
    return Problem("bad_key", 401, "密钥无效", detail, str(error))


@problem_of.register
def _(error: KeyExpiredError) -> Problem:
    detail = f"密钥已于 {error.at} 到期，请向管理员索取新的。"
    return Problem("key_expired", 401, "密钥到期", detail, str(error))


@problem_of.register
def _(error: KeyScopeError) -> Problem:
    what = "不限文档集的密钥" if error.is_limited else "有这个权限的密钥"
    detail = f"这把密钥不能这样用：需要 {error.needed} 权限，请换一把{what}。"
    fields = {"needed": error.needed}
    return Problem("key_scope", 403, "权限不够", detail, str(error), fields=fields)


@problem_of.register
def _(error: KeyInUrlError) -> Problem:
    detail = (
        "密钥不能写在网址里：网址会留在日志和历史记录里。请撤销这一把，"
        "换新的，写在请求头 Authorization: Bearer wq_… 里。"
    )
    return Problem("key_in_url", 400, "密钥写错了地方", detail, str(error))


@problem_of.register
def _(error: KeyNotFoundError) -> Problem:
    detail = f"没有编号为 {error.key_id[:50]} 的密钥。用 wenqu keys list 查看有哪些。"
    return Problem("key_not_found", 404, "没有这把密钥", detail, str(error))


@problem_of.register
def _(error: RateLimitError) -> Problem:
    detail = f"请求太频繁，请 {error.retry_seconds} 秒后再试。"
    return Problem(
        "rate_limited", 429, "请求太频繁", detail, str(error), retry_seconds=error.retry_seconds
    )


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
    detail = (
        "这个编号（webhook-id 或 Idempotency-Key）已经用过，内容却不一样。"
        "每个问题请用一个新的，重发时内容要相同。"
    )
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
def _(error: ShuttingDownError) -> Problem:
    detail = "服务正在停止，请稍后再试。"
    return Problem("shutting_down", 503, "正在停止", detail, str(error), retry_seconds=5)


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
def _(error: ParserError) -> Problem:
    detail = "系统不让再启动进程来读文件，请稍后再试，并检查进程数和内存。"
    return Problem("no_parser", 503, "现在读不了文件", detail, str(error), retry_seconds=15)


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
    now, retry = "请运行 `wenqu doctor --repair` 修复，文档不会丢失。", None
    if error.repairing:
        now, retry = "正在自动修复，请稍后再试，文档不会丢失。", 10
    detail = f"索引已损坏（{error.reason}）。{now}"
    return Problem(
        "index_damaged", 503, "索引已损坏", detail, str(error), UNUSABLE, retry_seconds=retry
    )


@problem_of.register
def _(error: DriverError) -> Problem:
    detail = (
        f"没有 {error.driver} 的驱动。数据库可以是 SQLite，"
        "或 PostgreSQL：先运行 pip install 'wenqu[postgres]'，地址写成 postgresql://…。"
    )
    return Problem("database_driver", 503, "没有数据库驱动", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: SchemaError) -> Problem:
    detail = (
        f"数据库的结构是第 {error.found} 版，这个版本的问渠只认得到第 {error.known} 版。"
        "请升级问渠，或换一个数据库。"
    )
    return Problem("schema", 503, "数据库比程序新", detail, str(error), UNUSABLE)


@problem_of.register
def _(error: BackupError) -> Problem:
    said = {
        "damaged": f"备份不完整或已损坏（{error.reason}）。请换一份备份。",
        "foreign": f"这不是问渠的备份（{error.reason}）。",
        "format": f"备份的格式这个版本的问渠认不得（{error.reason}）。请升级问渠。",
        "occupied": f"数据文件夹里已有内容（{error.reason}）。要用备份取代它，请加 --force。",
        "empty": "还没有可以备份的内容。",
        "elsewhere": (
            "数据不在 SQLite 里。PostgreSQL 请用 pg_dump 备份、pg_restore 恢复，"
            "再运行 `wenqu doctor --repair` 重建索引。"
        ),
    }
    return Problem("backup", 500, "备份有误", said[error.code], str(error), UNUSABLE)


@problem_of.register
def _(error: LibraryBusyError) -> Problem:
    who = f"另一个进程（{error.pid}）" if error.pid else "另一个进程"
    detail = f"{who}正在更新这个文档集，请稍后再试。"
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
def _(error: DataError) -> Problem:
    del error  # it repeats what cannot be stored
    detail = "里面有数据库存不了的字符，如空字符（NUL），或者太长。"
    english = "It has characters that the database cannot store, such as NUL, or is too long."
    return Problem("unstorable", 422, "存不了", detail, english)


@problem_of.register
def _(error: SQLAlchemyError) -> Problem:
    if is_full(error):
        return problem_of(OSError(errno.ENOSPC, "No space left on device"))
    if is_read_only(error):
        return problem_of(OSError(errno.EROFS, "Read-only file system"))
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
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        detail = "磁盘已满，什么都没有改动。请腾出空间后再试。"
        return Problem("disk_full", 507, "磁盘已满", detail, english)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        detail = "没有读写的权限，请检查运行问渠的用户。数据文件夹不能写时，文档不能改动。"
        return Problem("no_permission", 503, "没有权限", detail, english)
    return Problem("system", 503, "系统错误", f"系统拒绝了操作：{english}。", english)
