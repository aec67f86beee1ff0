"""What `wenqu serve` says first of a service that others than this machine can reach."""

import sys
from ipaddress import ip_address

from bot.keys import Keyring, Keys
from bot.reach import asking_needs_key, is_loopback, is_private
from bot.settings import Settings
from index.database import Database

_LOCKED = """\
wenqu: 不启动：服务对外（{why}），却没有任何密钥，谁都不能提问。请选一样：
  wenqu keys add 名称 --scope ask   # 生成提问用的密钥
  wenqu serve --open                # 任何人都可以提问，按地址限制次数
  {private}"""
_PRIVATE = "wenqu serve --host 127.0.0.1      # 只给本机用"
_UNPUBLISHED = "去掉设置 public_url                # 只给本机用"
_OPEN = "wenqu: 注意：没有提问密钥，能连到这个地址的人都可以提问。"
_NOT_OPEN = "wenqu: 已有提问密钥，所以提问要带密钥，open_access 不起作用。"
_CLOSED = "wenqu: 没有管理密钥，所以管理页、上传和删除文档都已关闭。"
_SHORT_LINKS = "wenqu: 没有设置 secret_key：重启之后，以前回答里的原文链接会失效。"
_NO_PROXIES = "wenqu: 没有设置 trusted_proxies：经过反向代理的请求，次数都算在代理一个地址上。"


def may_serve(settings: Settings, bound: str) -> bool:
    """Tell on standard error who gets in, and return whether anybody does.

    Args:
        settings: Of the service.
        bound: The address that it listens at.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database, which has the keys, does not answer.
    """
    if is_private(settings) and ip_address(bound).is_loopback:
        return True
    database = Database(settings.database)
    ring = Keys(database).ring()
    database.close()
    if not (ring.scopes or settings.admin_key.get_secret_value() or settings.open_access):
        local = is_loopback(settings.host)
        why = "设了 public_url" if local else f"监听 {settings.host}"
        way_out = _UNPUBLISHED if local else _PRIVATE
        print(_LOCKED.format(why=why, private=way_out), file=sys.stderr)
        return False
    for warning in _warnings(settings, ring):
        print(warning, file=sys.stderr)
    return True


def _warnings(settings: Settings, ring: Keyring) -> list[str]:
    is_closed = asking_needs_key(settings, ring)
    has_admin = bool(settings.admin_key.get_secret_value() or "admin" in ring.scopes)
    is_proxied = bool(settings.public_url)
    said = {
        _OPEN: not is_closed,
        _NOT_OPEN: is_closed and settings.open_access,
        _SHORT_LINKS: is_closed and not settings.secret_key.get_secret_value(),
        _CLOSED: not has_admin,
        _NO_PROXIES: is_proxied and not settings.trusted_proxies,
    }
    return [text for text, applies in said.items() if applies]
