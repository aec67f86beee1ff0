"""The chat tools that are set up. What is not set up is not even imported."""

from collections.abc import Iterator

from fastapi import APIRouter

from bot.errors import ExtraNotInstalledError
from bot.settings import Settings

_EXTRA = "channels"
"""Of the libraries that chat tools need, few and small; `mcp` has its own."""


def routers(settings: Settings) -> Iterator[APIRouter]:
    """Yield the endpoints of the chat tools that the settings name.

    Raises:
        ExtraNotInstalledError: One of them needs a library that is not there.
    """
    try:
        yield from _routers(settings)
    except ModuleNotFoundError as error:
        raise ExtraNotInstalledError(library=str(error.name), extra=_EXTRA) from error


def _routers(settings: Settings) -> Iterator[APIRouter]:
    if settings.mcp:
        from bot.channels import mcp_http  # noqa: PLC0415  # only where it is used

        yield mcp_http.router(settings)
    if settings.slack_bot_token.get_secret_value():
        from bot.channels import slack  # noqa: PLC0415  # only where it is used

        yield slack.router(settings)
    if settings.webhooks:
        from bot.channels import webhook  # noqa: PLC0415  # only where it is used

        yield webhook.router(settings)
    if settings.feishu_app_id:
        from bot.channels import feishu  # noqa: PLC0415  # only where it is used

        yield feishu.router(settings)
    if settings.dingtalk_client_id:
        if settings.dingtalk_stream:
            from bot.channels import dingtalk_stream  # noqa: PLC0415  # only where it is used

            yield dingtalk_stream.router(settings)
        else:
            from bot.channels import dingtalk  # noqa: PLC0415  # only where it is used

            yield dingtalk.router(settings)
    if settings.wecom_corp_id:
        from bot.channels import wecom  # noqa: PLC0415  # only where it is used

        yield wecom.router(settings)
    if settings.wecom_bot_token.get_secret_value():
        from bot.channels import wecom_bot  # noqa: PLC0415  # only where it is used

        yield wecom_bot.router(settings)
