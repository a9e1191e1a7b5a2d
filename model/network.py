"""The two formulas, run over windows and pooled: word ids of many documents in, one row of logits for each out.

    h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h)        y_t = W_hy h_t + b_y        logits = sum_t w_t y_t

with w_t >= 0 and sum_t w_t = 1 in each document. A document is cut into windows, each with h_0 = 0, so the sequential
part is ``window`` steps however long it is; step t is one product over all windows that have a t-th token, so that
nothing is padded and nothing is cut off. y is linear: the states are pooled first and W_hy applied once a document.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from model.layout import Layout, chunks, cut, lay_out, lengths_of
from model.recurrence import TrainableRecurrence

CHUNK = 8192
"""Tokens whose states are held at once, rounded to whole windows: a book needs no more memory than a batch."""


class Projection(nn.Module):
    """Words as learned vectors x, and W_xh x + b_h for the distinct words of a batch."""

    def __init__(self, words: int, embedding: int, directions: int, hidden: int) -> None:
        super().__init__()
        self.directions = directions
        self.embedding = nn.Embedding(words, embedding)
        self.project = nn.Linear(embedding, directions * hidden)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Ids [tokens] → a table [directions, rows, hidden] and the row of each token [tokens]."""
        distinct, row = torch.unique(tokens, return_inverse=True)
        return self.table(distinct), row

    def table(self, words: Tensor) -> Tensor:
        """W_xh x + b_h of ``words`` [words], as [directions, words, hidden]."""
        projected = self.project(self.embedding(words))
        table: Tensor = projected.unflatten(1, (self.directions, -1)).transpose(0, 1).contiguous()
        return table


class TanhRNN(nn.Module):
    """``layers`` of states, each ``hidden`` wide, read in one or ``both`` directions, pooled into logits.

    ``window``: tokens in a window; 0 reads a document from end to end in one.
    ``pooling``: the w_t. ``last``: all on the last state. ``mean``: all alike. ``weighted``: a weight learned for each
    word, times (1 + ln n) / n where the document has the word n times: said ten times it counts 3.3 times, not ten
    (sublinear term frequency: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, 6.4.1).
    """

    def __init__(
        self,
        words: int,
        labels: int,
        *,
        embedding: int,
        hidden: int,
        layers: int = 1,
        both: bool = True,
        window: int = 32,
        pooling: str = "weighted",
    ) -> None:
        super().__init__()
        assert pooling in ("last", "mean", "weighted")
        self.words, self.window, self.pooling, self.chunk = words, window, pooling, CHUNK
        self.directions = 2 if both else 1
        width = self.directions * hidden
        self.inputs: nn.Module = Projection(words, embedding, self.directions, hidden)
        self.recurrence: nn.Module = TrainableRecurrence()
        self.recurrent = nn.Parameter(torch.empty(layers, self.directions, hidden, hidden))  # W_hh, transposed
        self.deeper = nn.ModuleList(nn.Linear(width, width) for _ in range(layers - 1))  # W_xh, b_h of layers 2, 3, …
        self.importance = nn.Parameter(torch.zeros(words))  # the logarithm of each word's weight
        self.output = nn.Linear(width, labels)  # W_hy, b_y
        for matrix in self.recurrent.flatten(0, 1):
            nn.init.orthogonal_(matrix)

    def forward(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """Logits, float32 [documents, labels].

        ``tokens``: int64 [tokens], the ids of all documents end to end, each document at least one.
        ``starts``: int64 [documents], where in ``tokens`` each document begins.
        """
        logits: Tensor = self.output(self.pool(tokens, starts))
        return logits

    def pool(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """``sum_t w_t h_t`` of each document, [documents, directions * hidden]."""
        weights = self.weights(tokens, starts)
        begins, document = cut(starts, tokens.numel(), self.window)
        table, row = self.inputs(tokens)
        sums: list[Tensor] = []
        first = 0
        for count in chunks(begins, self.chunk):
            begin, end, own = _span(begins, first, count, tokens.numel())
            states, layout = self.states(table, row[begin:end], own)
            weight = weights[begin:end]
            for direction in range(self.directions):
                at = layout.place[direction]
                sums.append(embedding_bag(at, states[direction], own, mode="sum", per_sample_weights=weight))
            first += count
        windows = torch.cat([torch.cat(sums[d :: self.directions]) for d in range(self.directions)], 1)
        pooled = torch.zeros(starts.numel(), windows.shape[1], device=windows.device, dtype=windows.dtype)
        return pooled.index_add(0, document, windows)

    def explain(self, tokens: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and each token's share of its document's highest logit, [tokens].

        A share is w_t times the label's row of W_hy h_t: the shares of a document and its b_y sum to the logit.
        """
        logits = self.forward(tokens, starts)
        document = torch.repeat_interleave(lengths_of(starts, tokens.numel()))
        toward = self.output.weight[logits.argmax(1)[document]]
        weights = self.weights(tokens, starts)
        begins, _ = cut(starts, tokens.numel(), self.window)
        table, row = self.inputs(tokens)
        shares: list[Tensor] = []
        first = 0
        for count in chunks(begins, self.chunk):
            begin, end, own = _span(begins, first, count, tokens.numel())
            states, layout = self.states(table, row[begin:end], own)
            shares.append((in_document_order(states, layout) * toward[begin:end]).sum(1))
            first += count
        return logits, torch.cat(shares) * weights

    def states(self, table: Tensor, row: Tensor, begins: Tensor) -> tuple[Tensor, Layout]:
        """The last layer's states, [directions, tokens, hidden] in time order, of windows that begin at ``begins``."""
        layout = lay_out(lengths_of(begins, row.numel()), self.directions)
        rows = row[layout.token] + torch.arange(self.directions, device=row.device).unsqueeze(1) * table.shape[1]
        inputs = table.flatten(0, 1).index_select(0, rows.flatten()).view(self.directions, row.numel(), table.shape[2])
        states: Tensor = self.recurrence(inputs, self.recurrent[0], layout.active)
        for below, deeper in enumerate(self.deeper):
            inputs = deeper(in_document_order(states, layout)).unflatten(1, (self.directions, -1))
            inputs = torch.stack([inputs[layout.token[d], d] for d in range(self.directions)])
            states = self.recurrence(inputs, self.recurrent[below + 1], layout.active)
        return states, layout

    def weights(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """The w_t, [tokens]."""
        lengths = lengths_of(starts, tokens.numel())
        if self.pooling == "last":
            last = torch.zeros(tokens.numel(), device=tokens.device)
            return last.index_fill(0, starts + lengths - 1, 1.0)
        document = torch.repeat_interleave(lengths)
        if self.pooling == "mean":
            return torch.div(1.0, lengths[document])
        _, kind, counts = torch.unique(document * self.words + tokens, return_inverse=True, return_counts=True)
        sublinear = (1.0 + counts.log()) / counts
        raw = self.importance[tokens].exp() * sublinear[kind]
        total = torch.zeros(starts.numel(), device=raw.device, dtype=raw.dtype).index_add(0, document, raw)
        return raw / total[document]


def in_document_order(states: Tensor, layout: Layout) -> Tensor:
    """States of ``layout``'s time order as [tokens, directions * hidden] in the order of the text."""
    return torch.cat([states[d].index_select(0, layout.place[d]) for d in range(states.shape[0])], 1)


def _span(begins: Tensor, first: int, count: int, tokens: int) -> tuple[int, int, Tensor]:
    """The tokens of ``count`` windows from ``first`` on: begin, end, and the windows' own begins counted from there."""
    begin = int(begins[first])
    end = int(begins[first + count]) if first + count < begins.numel() else tokens
    return begin, end, begins[first : first + count] - begin
