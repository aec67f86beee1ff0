"""The reader as it is trained: the encoder of the embedding model with three heads, in torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from index.hit import Hit
from index.pair import Pair, passage_pair
from index.reader import Reading
from index.reader_model import reading_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import BertModel


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs, padded to the longest.

    Attributes:
        ids: Shape (pairs, length).
        present: Shape (pairs, length), 1 where there is a token.
        candidates: Shape (pairs, length), true where a span may begin or end, and at the first
            token, which stands for «not here».
    """

    ids: Tensor
    present: Tensor
    candidates: Tensor

    @classmethod
    def of(cls, pairs: Sequence[Pair], device: str) -> "Batch":
        """Pad pairs."""
        longest = max(len(pair.ids) for pair in pairs)
        ids = torch.zeros(len(pairs), longest, dtype=torch.long)
        present = torch.zeros(len(pairs), longest)
        candidates = torch.zeros(len(pairs), longest, dtype=torch.bool)
        candidates[:, 0] = True
        for row, pair in enumerate(pairs):
            ids[row, : len(pair.ids)] = torch.tensor(pair.ids)
            present[row, : len(pair.ids)] = 1
            candidates[row, pair.first : pair.first + len(pair.spans)] = True
        return cls(ids.to(device), present.to(device), candidates.to(device))


class ReaderNetwork(nn.Module):
    """Start and end of the answer by token, and one number for the passage."""

    def __init__(self, encoder: "BertModel") -> None:
        """Put heads on an encoder; those begin at 0, which says nothing yet."""
        super().__init__()
        self.encoder = encoder
        hidden = encoder.config.hidden_size
        self.span = nn.Linear(hidden, 2)
        self.relevance = nn.Linear(hidden, 1)
        for head in (self.span, self.relevance):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of start and end, shape (pairs, length), and of relevance, (pairs,)."""
        states = self.encoder(batch.ids, attention_mask=batch.present).last_hidden_state
        start, end = self.span(states).unbind(-1)
        hidden = ~batch.candidates
        weights = batch.present / batch.present.sum(1, keepdim=True)
        mean = (states * weights[:, :, None]).sum(1)
        relevance = self.relevance(mean)[:, 0]
        return start.masked_fill(hidden, -1e4), end.masked_fill(hidden, -1e4), relevance


def open_network(folder: Path, layers: int) -> ReaderNetwork:
    """Begin with the first `layers` layers of the embedding model in `folder`."""
    from transformers import BertModel  # noqa: PLC0415  # seconds to import

    encoder = BertModel.from_pretrained(
        str(folder), add_pooling_layer=False, attention_probs_dropout_prob=0.0
    )
    del encoder.encoder.layer[layers:]
    encoder.config.num_hidden_layers = layers
    encoder.embeddings.requires_grad_(requires_grad=False)
    return ReaderNetwork(encoder)


class NetworkReader:
    """A network that is being trained, as a reader."""

    def __init__(self, network: ReaderNetwork, tokenizer: "Tokenizer") -> None:
        """Read with `network` as it is at the time."""
        self._network = network
        self._tokenizer = tokenizer

    def read(self, question: str, hits: Sequence[Hit]) -> list[Reading]:
        """Read the passage of each hit, all at once."""
        pairs = [passage_pair(self._tokenizer, question, h.title, h.passage) for h in hits]
        device = str(next(self._network.parameters()).device)
        training = self._network.training
        self._network.eval()
        with torch.no_grad():
            start, end, relevance = self._network(Batch.of(pairs, device))
        self._network.train(training)
        spans = torch.stack([start, end], -1).cpu().numpy()
        return [
            reading_of(pair, spans[row, : len(pair.ids)], float(relevance[row]))
            for row, pair in enumerate(pairs)
        ]
