from collections.abc import Iterator

import pytest

from bot.runtime import Runtime
from bot.testing import CAT_QUESTION, serving

langchain = pytest.importorskip("langchain_openai", reason="pip install langchain-openai (56 MB)")


@pytest.fixture
def url(runtime: Runtime) -> Iterator[str]:
    with serving(runtime) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.mark.slow
def test_langchain_answers_and_streams_with_a_conversation(url: str) -> None:
    model = langchain.ChatOpenAI(base_url=url, api_key="sk-none", model="wenqu", max_retries=0)
    whole = model.invoke([("system", "简短回答"), ("user", CAT_QUESTION)])
    assert "屋顶" in whole.content
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata["total_tokens"] > 0
    chunks = list(model.stream([("user", CAT_QUESTION)]))
    assert "".join(chunk.content for chunk in chunks) == whole.content
    follow_up = model.invoke([("user", CAT_QUESTION), whole, ("user", "阿花哪一年出生？")])
    assert "一九九七" in follow_up.content
