import json
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from eval.reader.examples import Item, Target
from eval.reader.export import export
from eval.reader.network import NetworkReader, ReaderNetwork
from eval.reader.score import score
from eval.reader.train import CURVE, Checkpoint, Plan, train
from eval.train_reader import collected, held_out, main
from index.model import TOKENIZER, model_folder
from index.pair import pair
from index.session import open_tokenizer
from index.trained import Card, TrainedReader

pytestmark = pytest.mark.slow  # torch

PLAN = Plan(epochs=20, batch=4, rate=3e-3, head_rate=3e-3, every=4)


def item(at: int) -> Item:
    name = "甲乙丙丁戊己庚辛"[at % 8]
    text = f"{name}城在河边。{name}城建于{1900 + at}年。那里有一座桥，人们在桥上卖鱼，天黑才回家。"
    start = text.index("建于") + 2
    target = Target(f"{name}城", text, ((start, start + 5),))
    other = Target("山", "山上有树，树上有鸟，鸟在唱歌，没有人听见，也没有人记得。")
    return Item(
        "s", str(at), "tune", str(at), f"{name}城建于哪一年？", (target,), (), (other,), "城"
    )


ITEMS = [item(at) for at in range(16)]


def small_network(words: int = 127_000) -> ReaderNetwork:
    torch.manual_seed(3)
    shape = BertConfig(
        vocab_size=words,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return ReaderNetwork(BertModel(shape, add_pooling_layer=False))


def nothing(_row: Checkpoint) -> dict[str, float]:
    return {}


def losses(work: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (work / CURVE).read_text("utf-8").splitlines()]


def test_a_network_learns_and_a_run_that_was_cut_ends_where_a_whole_one_does(
    tmp_path: Path, model_cache: Path
) -> None:
    torch.set_num_threads(1)  # with more, sums differ in their last bits from run to run
    tokenizer = open_tokenizer(model_folder(model_cache) / TOKENIZER)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    network = small_network()
    train(network, tokenizer, ITEMS, PLAN, whole, nothing)
    first, *_, last = losses(whole)
    assert last < first / 2

    class PowerCutError(Exception):
        pass

    def cut_at_twenty(row: Checkpoint) -> dict[str, float]:
        if row.step == 20:
            raise PowerCutError
        return {}

    with pytest.raises(PowerCutError):
        train(small_network(), tokenizer, ITEMS, PLAN, cut, cut_at_twenty)
    resumed = small_network()
    train(resumed, tokenizer, ITEMS, PLAN, cut, nothing)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name

    found = score(NetworkReader(network, tokenizer), ITEMS)
    assert found.questions == 16
    before = score(NetworkReader(small_network(), tokenizer), ITEMS)
    assert before.relevance == 0  # its heads begin at 0: nothing is more relevant than another
    assert found.relevance > 0.9  # «山» is told from «城» after a few steps
    assert found.f1 > before.f1

    card = Card(
        format=1, base="b", layers=2, data=("s",), licence="CC BY-SA 4.0", command="c", seed=7
    )
    pairs = [pair(tokenizer, i.question, "城", i.answering[0].text) for i in ITEMS]
    export(network, pairs, card, tmp_path / "reader.safetensors")
    written = TrainedReader.parse((tmp_path / "reader.safetensors").read_bytes())
    assert written.card == card
    for layer in range(2):
        kept = written.linear(layer, "qkv")
        exact = network.state_dict()[f"encoder.encoder.layer.{layer}.attention.self.query.weight"]
        exact = exact.numpy()
        back = kept.weight[:32] * kept.scales[:32, None] / kept.divisor
        assert abs(back - exact).max() < 0.02 * abs(exact).max()


def test_a_question_without_its_passage_is_not_scored(model_cache: Path) -> None:
    tokenizer = open_tokenizer(model_folder(model_cache) / TOKENIZER)
    with pytest.raises(ValueError, match="no question has a passage"):
        score(NetworkReader(small_network(), tokenizer), [])


def test_items_that_were_collected_are_used_again(tmp_path: Path) -> None:
    from eval.train_reader import _ITEMS  # noqa: PLC0415

    kept = tmp_path / "items.json"
    kept.write_bytes(_ITEMS.dump_json(ITEMS))
    found = collected([], kept)
    assert found == {"train": [], "tune": ITEMS, "test": []}
    shares = [held_out(item(at)) for at in range(2000)]
    assert 0.05 < sum(shares) / len(shares) < 0.12  # one article in twelve


def test_the_command_goes_from_questions_to_a_file_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, work, out = tmp_path / "towns", tmp_path / "work", tmp_path / "reader.safetensors"
    folder.mkdir()
    paragraphs, questions = [], []
    for at, town in enumerate(item(at) for at in range(24)):
        (target,) = town.answering
        start, end = target.spans[0]
        paragraphs.append({"id": f"p{at}", "title": target.path, "text": target.text})
        questions.append(
            {
                "id": f"q{at}",
                "question": town.question,
                "paragraph_id": f"p{at}",
                "answers": [target.text[start:end]],
                "answer_starts": [start],
            }
        )
    for name, written in (("paragraphs", paragraphs), ("questions", questions)):
        lines = (json.dumps(row, ensure_ascii=False) for row in written)
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # the indexes are made in `var`
    command = ["--data", str(folder), "--work", str(work), "--out", str(out)]
    assert main([*command, "--layers", "1", "--epochs", "1", "--seed", "5"]) == 0

    card = TrainedReader.parse(out.read_bytes()).card
    assert (card.layers, card.seed, card.data) == (1, 5, ("towns",))
    assert "--epochs 1" in card.command
    assert (work / "curve.svg").read_text(encoding="utf-8").startswith("<svg")
    curve = (work / CURVE).read_text("utf-8")
    assert main([*command, "--layers", "1", "--epochs", "1", "--seed", "5"]) == 0
    assert (work / CURVE).read_text("utf-8") == curve  # there was nothing left to do
