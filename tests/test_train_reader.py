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
from eval.train_reader import collected, held_out
from index.model import TOKENIZER, model_folder
from index.pair import pair
from index.session import open_tokenizer
from index.trained import Card, TrainedReader

pytestmark = pytest.mark.slow  # torch

PLAN = Plan(epochs=10, batch=4, rate=3e-3, head_rate=3e-3, every=4)


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
    assert last < 0.75 * first

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
        # rounding differs with where the arrays lie in memory, and grows from step to step
        assert (tensor - resumed.state_dict()[name]).abs().max() < 5e-3, name

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
