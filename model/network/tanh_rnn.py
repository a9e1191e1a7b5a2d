"""The two formulas, run over windows and pooled: word ids of many documents in, one row of logits for each out.

    h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h)        y_t = W_hy h_t        logits = g sum_t w_t y_t + b_y

x_t is 1 at the word, at the pair that it makes with the word before it where that pair is known, and at the grams of a
word that is spelt out: W_xh x_t is a sum of rows of a table. w_t >= 0 and sum_t w_t = 1 in each document. A document is
cut into windows, each with h_0 = 0: the sequential part is ``window`` steps however long it is. Step t is one product
over all windows that have a t-th token: nothing is padded and nothing is cut off. y is linear, so states are pooled
first and W_hy applied once.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag

from model.network.embedding_rows import ExtraRows, bigram_rows, rows_between, split_ids
from model.network.packing import Packing, chunk_bounds, chunk_sizes, pack_windows, segment_lengths, split_windows
from model.network.pooling import pooling_weights
from model.network.recurrence import tanh_recurrence

CHUNK_TOKENS = 8192
"""Tokens whose states are held at once, rounded to whole windows: a book needs no more memory than a batch."""
INITIAL_DEVIATION = 0.1
"""Deviation of a word's numbers before training: tanh is nearly linear there."""


class Affine(nn.Linear):
    """``nn.Linear`` without constants: TorchScript writes those in the order of a set, another in each process."""

    __constants__: list[str] = []  # noqa: RUF012  # nn.Linear declares a list, and mypy wants its own type of what overrides it


class TanhRNN(nn.Module):
    """``layers`` of ``hidden`` states, one or both directions (``bidirectional``), pooled into logits.

    ``words``: rows of the table that are words', the first the unknown word's; ``ngrams``: rows after them.
    ``bigrams``: int64, rising: the known pairs, each as ``before * words + word``; theirs are the last rows.
    ``window``: tokens in a window; 0 reads a document from end to end in one.
    ``pooling``: the g w_t, see ``model.network.pooling``.
    """

    bigrams: Tensor
    importance: Tensor

    def __init__(
        self,
        words: int,
        labels: int,
        *,
        hidden: int,
        layers: int = 1,
        bidirectional: bool = True,
        window: int = 32,
        pooling: str = "weighted",
        ngrams: int = 0,
        bigrams: Tensor | None = None,
    ) -> None:
        super().__init__()
        assert pooling in ("last", "mean", "weighted")
        self.words, self.ngrams, self.window, self.pooling = words, ngrams, window, pooling
        self.chunk_tokens = CHUNK_TOKENS
        self.directions = 2 if bidirectional else 1
        width = self.directions * hidden
        known = torch.empty(0, dtype=torch.int64) if bigrams is None else bigrams
        self.register_buffer("bigrams", known)
        self.rows = words + ngrams + known.numel()
        self.table = nn.Parameter(torch.empty(self.directions * self.rows, hidden))  # W_xh, a direction after the other
        self.bias = nn.Parameter(torch.zeros(self.directions, 1, hidden))  # b_h
        self.register_buffer("importance", torch.ones(words))
        self.recurrent = nn.Parameter(torch.empty(layers, self.directions, hidden, hidden))  # W_hh, transposed
        self.deeper = nn.ModuleList(Affine(width, width) for _ in range(layers - 1))  # W_xh, b_h of layers 2, 3, …
        self.output = Affine(width, labels)  # W_hy, b_y
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin: words small, grams and pairs at 0, W_hh orthogonal (Saxe, McClelland and Ganguli, 2014)."""
        with torch.no_grad():
            self.table.normal_(0.0, INITIAL_DEVIATION)
            self.table.unflatten(0, (self.directions, self.rows))[:, self.words :] = 0.0
            self.output.weight.normal_(0.0, self.output.in_features**-0.5)
            self.output.bias.zero_()
            for matrix in self.recurrent.flatten(0, 1):
                nn.init.orthogonal_(matrix)

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """Logits, float32 [documents, labels].

        ``ids``: int64, the words of all documents end to end, each document at least one, grams after their word.
        ``starts``: int64 [documents], where in ``ids`` each document begins.
        """
        logits: Tensor = self.output(self.pool(ids, starts))
        return logits

    def pool(self, ids: Tensor, starts: Tensor, common: int | None = None) -> Tensor:
        """``g sum_t w_t h_t`` of each document, [documents, directions * hidden].

        ``common``: read only words of smaller ids, and the others as the unknown word, so that training meets it.
        """
        tokens, starts, spelt = split_ids(ids, starts, self.words, self.ngrams)
        known = bigram_rows(tokens, starts, self.words, self.ngrams, self.bigrams)
        more = ExtraRows(torch.cat([known.at, spelt.at]), torch.cat([known.row, spelt.row]))
        weights = self.pooling_weights(tokens, starts)
        if common is not None:
            tokens = torch.where(tokens < common, tokens, torch.zeros_like(tokens))
        begins, document = split_windows(starts, tokens.numel(), self.window)
        sums: list[Tensor] = []
        first = 0
        for count in chunk_sizes(begins, self.chunk_tokens):
            begin, end, own = chunk_bounds(begins, first, count, tokens.numel())
            states, layout = self.states(tokens[begin:end], rows_between(more, begin, end), own)
            weight = weights[begin:end]
            for direction in range(self.directions):
                at = layout.place[direction]
                sums.append(embedding_bag(at, states[direction], own, mode="sum", per_sample_weights=weight))
            first += count
        windows = torch.cat([torch.cat(sums[d :: self.directions]) for d in range(self.directions)], 1)
        pooled = torch.zeros(starts.numel(), windows.shape[1], device=windows.device, dtype=windows.dtype)
        return pooled.index_add(0, document, windows)

    def states(self, tokens: Tensor, more: ExtraRows, begins: Tensor) -> tuple[Tensor, Packing]:
        """The last layer's states, [directions, tokens, hidden] in time order, of windows that begin at ``begins``."""
        layout = pack_windows(segment_lengths(begins, tokens.numel()), self.directions)
        direction = torch.arange(self.directions, device=tokens.device).unsqueeze(1)
        inputs = embedding(tokens[layout.token] + direction * self.rows, self.table, sparse=self.training) + self.bias
        if more.at.numel() > 0:
            at = (layout.place[:, more.at] + direction * tokens.numel()).flatten()
            rows = embedding((more.row + direction * self.rows).flatten(), self.table, sparse=self.training)
            inputs.view(-1, inputs.shape[2]).index_add_(0, at, rows)
        states: Tensor = tanh_recurrence(inputs, self.recurrent[0], layout.active)
        for below, deeper in enumerate(self.deeper):
            inputs = deeper(in_document_order(states, layout)).unflatten(1, (self.directions, -1))
            inputs = torch.stack([inputs[layout.token[d], d] for d in range(self.directions)])
            states = tanh_recurrence(inputs, self.recurrent[below + 1], layout.active)
        return states, layout

    def pooling_weights(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """The ``g w_t``, [tokens]."""
        return pooling_weights(tokens, starts, self.importance, self.pooling)


def in_document_order(states: Tensor, layout: Packing) -> Tensor:
    """States of ``layout``'s time order as [tokens, directions * hidden] in the order of the text."""
    return torch.cat([states[d].index_select(0, layout.place[d]) for d in range(states.shape[0])], 1)
