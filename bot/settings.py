"""Every setting: its name, its type, its default."""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from bot.addresses import network
from bot.channels.endpoints import Endpoint
from bot.reading import Use

_URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9./_-]*)?$"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_ADMIN_KEY = re.compile(r"[!-~]{16,}")


_TOGETHER = {
    "feishu_verification_token": ("feishu_app_id", "feishu_app_secret", "feishu_encrypt_key"),
    "dingtalk_client_secret": ("dingtalk_client_id",),
    "wecom_aes_key": ("wecom_corp_id", "wecom_secret", "wecom_agent_id", "wecom_token"),
    "wecom_bot_aes_key": ("wecom_bot_token",),
    "llm_model": ("llm_base_url",),
}
"""The last setting of a channel to those that it needs beside it."""
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Port = Annotated[int, Field(ge=1, le=65_535)]
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_AES_KEY = re.compile(r"([A-Za-z0-9]{43})?")


def _given(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _split(value: object) -> object:
    """Take a list as the environment has it: parted by commas or spaces."""
    return tuple(re.findall(r"[^,\s]+", value)) if isinstance(value, str) else value


def _from_json(value: object) -> object:
    """Take a table as the environment has it: a JSON object."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value  # which is no table, and that is said then


def _uses(value: object) -> object:
    return () if value == "off" else _split(value)


class Settings(BaseModel):
    """The values, checked. A description is what `wenqu doctor` shows the user."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    data: Path = Field(default=Path("var"), description="数据文件夹：索引和数据库")
    database_url: str = Field(default="", description="数据库地址，空则用数据文件夹里的 SQLite")
    cache: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("wenqu")),
        description="缓存文件夹：嵌入模型和词典",
    )
    model: str = Field(
        default="builtin", min_length=1, description="嵌入模型：builtin、文件夹或模型名"
    )
    reader: Annotated[tuple[Use, ...], BeforeValidator(_uses)] = Field(
        default=("rerank", "quote", "direct", "refuse"),
        description="阅读模型的用途：rerank 排序，quote 选句，direct 短答案，refuse 拒答；off 不用",
    )
    dictionary: Path | None = Field(default=None, description="自定义词典：每行一个词，UTF-8")
    collection: str = Field(
        default="default", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="不指定时使用的文档集"
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="监听地址")
    port: int = Field(default=8000, ge=0, le=65535, description="监听端口，0 为任意空闲端口")
    top_k: int = Field(default=8, ge=1, le=50, description="每个问题参考的段落数")
    public_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="对外地址，用来写出完整的原文链接"
    )
    open_access: bool = Field(
        default=False, description="对外的服务没有提问密钥时，是否任何人都可以提问"
    )
    rate_per_minute: int | None = Field(
        default=None,
        ge=0,
        le=100_000,
        description="每把密钥（没有密钥时每个地址）每分钟的请求数，0 不限，空则对外时为 60",
    )
    session_rate_per_minute: int | None = Field(
        default=None,
        ge=0,
        le=100_000,
        description="每个会话每分钟的问题数，0 不限，空则对外时为 20",
    )
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="反向代理的地址或网段，只有它们写的 X-Forwarded-For 才算数"
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="可以用脚本读取回答的其他网站，如 https://www.example.com"
    )
    max_question_characters: int = Field(default=2000, ge=1, le=2000, description="问题最多的字数")
    max_upload_bytes: int = Field(default=50_000_000, ge=1000, description="一次上传最多的字节数")
    fetch_hosts: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="可以读取的内网网址：主机名、地址或网段，空则只读公网上的"
    )
    fetch_ports: Annotated[tuple[_Port, ...], BeforeValidator(_split)] = Field(
        default=(80, 443), description="读取网址时可以连接的端口"
    )
    threads: int = Field(default=2, ge=1, le=64, description="建立索引时嵌入模型用的线程数")
    workers: int = Field(default=4, ge=1, le=64, description="同时处理的问题数")
    queue: int = Field(
        default=64, ge=0, le=10_000, description="排队等待的问题数，超出则请稍后再试"
    )
    answer_seconds: float = Field(
        default=120, gt=0, le=3600, description="一个问题最多等待的秒数，排队也算在内"
    )
    body_seconds: float = Field(
        default=30, gt=0, le=3600, description="等请求的内容发完的秒数，每收到 20 KB 延长一秒"
    )
    stop_seconds: float = Field(
        default=18, ge=0, le=3600, description="停止时等回答说完的秒数，之后告知提问的人"
    )
    connections: int = Field(default=1000, ge=10, le=100_000, description="同时连接最多的数目")
    store_conversations: bool = Field(default=True, description="是否把对话存入数据库")
    retention_days: int = Field(default=30, ge=1, le=36_500, description="对话保留的天数")
    widget_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="可以嵌入网页组件的网站，如 https://www.example.com，空则都不可以"
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""), description="签发组件令牌的密钥，空则每次启动随机生成"
    )
    admin_key: SecretStr = Field(
        default=SecretStr(""), description="管理密钥，至少 16 个字符，上传和删除文档也要带上"
    )
    eval_report: Path | None = Field(
        default=None, description="`wenqu eval --out` 写出的 results.json，管理页会显示"
    )
    mcp: bool = Field(default=False, description="是否在 /mcp 提供 MCP 服务")
    slack_bot_token: SecretStr = Field(
        default=SecretStr(""), description="Slack 机器人的令牌（xoxb-…），空则不开通"
    )
    slack_signing_secret: SecretStr = Field(
        default=SecretStr(""), description="Slack Signing Secret，用 HTTP 接收事件时要有"
    )
    slack_collection: str = Field(
        default="", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="Slack 查的文档集，空则为默认的"
    )
    slack_api_url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost)):?[0-9]{0,5}/api/$",
        description="Slack 接口的地址，GovSlack 为 https://slack-gov.com/api/",
    )
    slack_app_token: SecretStr = Field(
        default=SecretStr(""), description="Slack 应用级令牌（xapp-…），用 Socket Mode 时要有"
    )
    feishu_app_id: str = Field(default="", description="飞书应用的 App ID，空则不开通")
    feishu_app_secret: SecretStr = Field(default=SecretStr(""), description="飞书 App Secret")
    feishu_encrypt_key: SecretStr = Field(default=SecretStr(""), description="飞书 Encrypt Key")
    feishu_verification_token: SecretStr = Field(
        default=SecretStr(""), description="飞书 Verification Token"
    )
    feishu_url: str = Field(
        default="https://open.feishu.cn",
        pattern=_URL,
        description="飞书接口的地址，Lark 为 https://open.larksuite.com",
    )
    dingtalk_client_id: str = Field(default="", description="钉钉应用的 Client ID，空则不开通")
    dingtalk_client_secret: SecretStr = Field(
        default=SecretStr(""), description="钉钉 Client Secret"
    )
    dingtalk_stream: bool = Field(
        default=False, description="钉钉用 Stream 模式：主动连接钉钉，不需要对外地址"
    )
    dingtalk_url: str = Field(
        default="https://api.dingtalk.com", pattern=_URL, description="钉钉接口的地址"
    )
    dingtalk_reply_url: str = Field(
        default="https://oapi.dingtalk.com/robot/sendBySession",
        pattern=_URL,
        description="钉钉临时回复地址的开头，消息里的地址须与它相符",
    )
    wecom_corp_id: str = Field(default="", description="企业微信的企业 ID，空则不开通自建应用")
    wecom_secret: SecretStr = Field(default=SecretStr(""), description="企业微信自建应用的 Secret")
    wecom_agent_id: int = Field(default=0, ge=0, description="企业微信自建应用的 AgentId")
    wecom_token: SecretStr = Field(
        default=SecretStr(""), description="企业微信自建应用接收消息的 Token"
    )
    wecom_aes_key: SecretStr = Field(
        default=SecretStr(""), description="企业微信自建应用接收消息的 EncodingAESKey"
    )
    wecom_bot_token: SecretStr = Field(
        default=SecretStr(""), description="企业微信智能机器人的 Token，空则不开通"
    )
    wecom_bot_aes_key: SecretStr = Field(
        default=SecretStr(""), description="企业微信智能机器人的 EncodingAESKey"
    )
    wecom_url: str = Field(
        default="https://qyapi.weixin.qq.com", pattern=_URL, description="企业微信接口的地址"
    )
    llm_base_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s@]+)?$",
        description="语言模型的地址（OpenAI 协议，如 http://127.0.0.1:11434/v1），空则只摘录原文",
    )
    llm_model: str = Field(default="", description="语言模型的名称")
    llm_api_key: SecretStr = Field(default=SecretStr(""), description="语言模型的密钥")
    llm_max_tokens: int = Field(
        default=1024, ge=16, le=32_768, description="语言模型一次最多写的 token 数"
    )
    llm_concurrency: int = Field(
        default=4, ge=1, le=1000, description="同时调用语言模型的次数，超出则摘录原文"
    )
    llm_first_token_seconds: float = Field(
        default=10, gt=0, le=600, description="等语言模型开口的秒数，含重试"
    )
    llm_gap_seconds: float = Field(
        default=15, gt=0, le=600, description="语言模型中途停顿最长的秒数"
    )
    llm_total_seconds: float = Field(default=60, gt=0, le=600, description="语言模型总共的秒数")
    llm_unsupported: Literal["drop", "mark"] = Field(
        default="drop", description="语言模型写的、引文不支持的句子：drop 去掉，mark 注明"
    )
    llm_rewrite: bool = Field(default=True, description="追问是否由语言模型补全")
    webhooks: Annotated[Mapping[_Name, Endpoint], BeforeValidator(_from_json)] = Field(
        default_factory=dict, description="Webhook：名称到密钥、地址和事件，空则不开通"
    )
    log_questions: bool = Field(
        default=False, description="是否把问题写进日志，错误里也可能有问题的文字"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="日志级别"
    )

    @field_validator(
        "feishu_verification_token",
        "dingtalk_client_secret",
        "wecom_aes_key",
        "wecom_bot_aes_key",
        "llm_model",
    )
    @classmethod
    def _are_all_given(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """Hold the last setting of a channel to the others: all of them, or none."""
        last = str(info.field_name)
        together = (*_TOGETHER[last], last)
        values = {**info.data, last: value}
        missing = [name for name in together if not _given(values.get(name))]
        if missing and len(missing) < len(together):
            message = f"{', '.join(together)} go together; not set: {', '.join(missing)}"
            raise ValueError(message)
        if last.endswith("aes_key") and not _AES_KEY.fullmatch(value.get_secret_value()):
            message = "an EncodingAESKey has 43 letters and digits"
            raise ValueError(message)
        return value

    @field_validator("slack_bot_token", "slack_app_token")
    @classmethod
    def _are_slack_tokens(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """Tell the two tokens of Slack apart, and hold them to each other."""
        prefix = {"slack_bot_token": "xoxb-", "slack_app_token": "xapp-"}[str(info.field_name)]
        if _given(value) and not value.get_secret_value().startswith(prefix):
            message = f"a token that begins with {prefix} is expected, this one begins otherwise"
            raise ValueError(message)
        if info.field_name == "slack_app_token":
            ways = _given(value) or _given(info.data.get("slack_signing_secret"))
            if ways != _given(info.data.get("slack_bot_token")):
                message = (
                    "slack_bot_token goes with slack_signing_secret (events by HTTP) or with"
                    " slack_app_token (Socket Mode): set it and one of these, or none"
                )
                raise ValueError(message)
        return value

    @field_validator("admin_key")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if _given(value) and not _ADMIN_KEY.fullmatch(value.get_secret_value()):
            message = "an admin key has at least 16 letters, digits or signs, and no spaces"
            raise ValueError(message)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each)
            except ValueError as error:
                message = f"{each!r} is no address or network: write 10.0.0.5 or 10.0.0.0/8"
                raise ValueError(message) from error
        return value

    @field_validator("widget_origins", "cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                message = f"{origin!r} is no origin: write https://www.example.com, without a path"
                raise ValueError(message)
        return value

    @field_validator("fetch_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if network(host) is None and not _HOST.fullmatch(host):
                message = f"{host!r} is no host or network: write wiki.example.com or 10.1.0.0/16"
                raise ValueError(message)
        return value

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{self.data / 'wenqu.db'}"

    @property
    def indexes(self) -> Path:
        """Folder of the indexes, one below it for each collection."""
        return self.data / "index"
