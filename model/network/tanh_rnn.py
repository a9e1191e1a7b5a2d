"""The trainable network: a tanh recurrent network (Elman, 1990) over windows, pooled into one logit for each label.

    h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h)        y_t = W_hy h_t        logits = g sum_t w_t y_t + b_y

x_t is 1 at the word, at its bigram with the previous word if that is known, and at the character n-grams of an unknown
word. W_xh x_t is therefore a sum of table rows. In each document w_t >= 0 and sum_t w_t = 1.

A document is split into windows, each with h_0 = 0: the recurrence has ``window`` steps for a document of any length.
Step t is one product over all windows that have a t-th token. Nothing is padded and no token is dropped. y is linear in
h, so states are pooled before W_hy is applied.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag

from model.network.embedding_rows import ExtraRows, bigram_rows, rows_between, split_ids
from model.network.packing import Packing, chunk_bounds, chunk_sizes, pack_windows, segment_lengths, split_windows
from model.network.pooling import POOLINGS, pooling_weights
from model.network.recurrence import tanh_recurrence

CHUNK_TOKENS = 8192
"""Tokens whose states are in memory at once, rounded to windows: a book needs no more memory than a batch."""
INITIAL_DEVIATION = 0.1
"""Standard deviation of the word rows before training: tanh is nearly linear there."""


class Affine(nn.Linear):
    """``nn.Linear`` without constants: TorchScript writes constants in the order of a set, which varies by process."""

    __constants__: list[str] = []  # noqa: RUF012  # nn.Linear declares a list, and mypy checks overrides against it


class TanhRNN(nn.Module):
    """A network of ``layers`` recurrent layers with ``hidden`` states in each direction.

    ``words``: table rows of words; row 0 is for unknown tokens. ``ngrams``: table rows of character n-grams.
    ``bigrams``: int64, the keys ``previous * words + word`` of the known bigrams, rising; they have the last rows.
    ``window``: tokens in a window; 0 makes each document one window.
    ``pooling``: one of ``model.network.pooling.POOLINGS``.
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
        assert pooling in POOLINGS
        self.words, self.ngrams, self.window, self.pooling = words, ngrams, window, pooling
        self.chunk_tokens = CHUNK_TOKENS
        self.directions = 2 if bidirectional else 1
        width = self.directions * hidden
        self.register_buffer("bigrams", torch.empty(0, dtype=torch.int64) if bigrams is None else bigrams)
        self.rows = words + ngrams + self.bigrams.numel()
        self.table = nn.Parameter(torch.empty(self.directions * self.rows, hidden))  # W_xh, one direction after another
        self.bias = nn.Parameter(torch.zeros(self.directions, 1, hidden))  # b_h
        self.register_buffer("importance", torch.ones(words))
        self.recurrent = nn.Parameter(torch.empty(layers, self.directions, hidden, hidden))  # W_hh, transposed
        self.deeper = nn.ModuleList(Affine(width, width) for _ in range(layers - 1))  # W_xh, b_h of layers 2, 3, …
        self.output = Affine(width, labels)  # W_hy, b_y
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Small word rows, zero rows of n-grams and bigrams, orthogonal W_hh (Saxe, McClelland and Ganguli, 2014)."""
        with torch.no_grad():
            self.table.normal_(0.0, INITIAL_DEVIATION)
            self.table.unflatten(0, (self.directions, self.rows))[:, self.words :] = 0.0
            self.output.weight.normal_(0.0, self.output.in_features**-0.5)
            self.output.bias.zero_()
            for matrix in self.recurrent.flatten(0, 1):
                nn.init.orthogonal_(matrix)

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """Return logits, float32 [documents, labels].

        ``ids``: int64, the ids of all documents in one sequence, n-gram ids after the token that they spell.
        ``starts``: int64 [documents], the index in ``ids`` of each document's first id.
        """
        logits: Tensor = self.output(self.pool(ids, starts))
        return logits

    def pool(self, ids: Tensor, starts: Tensor, common: int | None = None) -> Tensor:
        """Return ``g sum_t w_t h_t`` of each document, [documents, directions * hidden].

        ``common``: words with this id or a higher one are read as unknown tokens, so that training meets such tokens.
        """
        tokens, starts, ngrams = split_ids(ids, starts, self.words, self.ngrams)
        bigrams = bigram_rows(tokens, starts, self.words, self.ngrams, self.bigrams)
        extra = ExtraRows(torch.cat([bigrams.token, ngrams.token]), torch.cat([bigrams.row, ngrams.row]))
        weights = self.pooling_weights(tokens, starts)
        if common is not None:
            tokens = torch.where(tokens < common, tokens, torch.zeros_like(tokens))
        begins, document = split_windows(starts, tokens.numel(), self.window)
        sums: list[Tensor] = []
        first = 0
        for count in chunk_sizes(begins, self.chunk_tokens):
            begin, end, chunk_begins = chunk_bounds(begins, first, count, tokens.numel())
            states, packing = self.states(tokens[begin:end], rows_between(extra, begin, end), chunk_begins)
            weight = weights[begin:end]
            for direction in range(self.directions):
                rows = packing.row[direction]
                sums.append(embedding_bag(rows, states[direction], chunk_begins, mode="sum", per_sample_weights=weight))
            first += count
        windows = torch.cat([torch.cat(sums[d :: self.directions]) for d in range(self.directions)], 1)
        pooled = torch.zeros(starts.numel(), windows.shape[1], device=windows.device, dtype=windows.dtype)
        return pooled.index_add(0, document, windows)

    def states(self, tokens: Tensor, extra: ExtraRows, begins: Tensor) -> tuple[Tensor, Packing]:
        """The states of the last layer, [directions, tokens, hidden] in time order, and that order.

        ``begins``: int64 [windows], the first token of each window.
        """
        packing = pack_windows(segment_lengths(begins, tokens.numel()), self.directions)
        direction = torch.arange(self.directions, device=tokens.device).unsqueeze(1)
        inputs = embedding(tokens[packing.token] + direction * self.rows, self.table, sparse=self.training) + self.bias
        if extra.token.numel() > 0:
            target = (packing.row[:, extra.token] + direction * tokens.numel()).flatten()
            rows = embedding((extra.row + direction * self.rows).flatten(), self.table, sparse=self.training)
            inputs.view(-1, inputs.shape[2]).index_add_(0, target, rows)
        states: Tensor = tanh_recurrence(inputs, self.recurrent[0], packing.active)
        for layer, deeper in enumerate(self.deeper, start=1):
            inputs = deeper(in_text_order(states, packing)).unflatten(1, (self.directions, -1))
            inputs = torch.stack([inputs[packing.token[d], d] for d in range(self.directions)])
            states = tanh_recurrence(inputs, self.recurrent[layer], packing.active)
        return states, packing

    def pooling_weights(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """The weights ``g w_t``, float [tokens]."""
        return pooling_weights(tokens, starts, self.importance, self.pooling)


def in_text_order(states: Tensor, packing: Packing) -> Tensor:
    """Reorder ``states`` [directions, tokens, hidden] from time order to text order: [tokens, directions * hidden]."""
    return torch.cat([states[d].index_select(0, packing.row[d]) for d in range(states.shape[0])], 1)
