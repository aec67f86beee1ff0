"""What `wenqu serve` says once it can answer, or cannot."""

import sys

from bot.api.state import State
from bot.problems import INTERNAL, problem_of
from index.errors import CorruptIndexError, ModelError, ModelMismatchError

_EXAMPLE = """\
试试：curl -s {url}/api/chat -H 'content-type: application/json' \\
      -d '{{"question":"chroot 是哪一年出现的？"}}'"""


def announce(state: State, url: str) -> int:
    """Tell that the service is ready, or what stands in the way.

    Returns the status to exit with if only a change of the settings can help, or 0: a damaged
    index is repaired while the service is up.
    """
    try:
        generation = state.runtime.bot().library.generation()
    except Exception as error:  # told here, by /readyz and to everybody who asks
        problem = problem_of(error)
        print(f"wenqu: {problem.detail}", file=sys.stderr, flush=True)
        if problem is INTERNAL:
            raise
        if isinstance(error, CorruptIndexError):
            print(f"问渠已启动：{url}，索引正在修复，好了就能提问。", flush=True)
        return problem.exit_status if isinstance(error, (ModelError, ModelMismatchError)) else 0
    if generation and len(generation.rows):
        held = f"{generation.manifest.documents} 份文档，{generation.manifest.passages} 段"
        print(f"问渠已就绪：{url}（{held}）", flush=True)
        print(_EXAMPLE.format(url=url), flush=True)
    else:
        folder = state.settings.data
        print(f"问渠已就绪：{url}，还没有文档。另开一个终端加入：", flush=True)
        print(f"  wenqu ingest --data {folder} 文件或文件夹", flush=True)
        print(f"  wenqu ingest --data {folder} --bundled   # 随附的容器技术史文档", flush=True)
    return 0
