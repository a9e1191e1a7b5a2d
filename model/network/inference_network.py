"""The network for inference: the logits of a trained ``TanhRNN`` from fewer operations.

tanh(a) = 2 s(2a) - 1, where s is the logistic function, which takes a sixth of the time of tanh in torch. Therefore

    s_t = s(4 W_hh s_{t-1} + u_t)      u_t = 2 (W_xh x_t + b_h - W_hh 1)      h_t = 2 s_t - 1      s_0 = 1/2

The factors, b_h and the row sums of W_hh are folded into the table and the weights. One look-up sums the rows of a word
and its bigram. The states of both directions are adjacent in memory.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from model.network.bigram_table import CuckooTable, build_table, look_up
from model.network.embedding_rows import CharacterNgrams, bigram_keys, ngrams_between, token_positions
from model.network.packing import chunk_bounds, chunk_sizes, pack_windows, segment_lengths, split_windows
from model.network.pooling import pooling_weights
from model.network.tanh_rnn import Affine, TanhRNN

BLOCK_PRODUCT_WINDOWS = 64
"""With fewer windows, one product with a block-diagonal matrix is faster than one product for each direction."""


class InferenceNetwork(nn.Module):
    """A folded copy of ``network``. The artifact's reader uses the attributes ``words``, ``grams`` and ``output``."""

    importance: Tensor
    bigrams: Tensor
    bigram_slots: Tensor
    bigram_indices: Tensor
    recurrent: Tensor
    blocks: Tensor
    shift: Tensor
    table: Tensor

    def __init__(self, network: TanhRNN) -> None:
        super().__init__()
        self.words, self.grams, self.rows = network.words, network.ngrams, network.rows
        self.window, self.pooling, self.directions = network.window, network.pooling, network.directions
        self.chunk_tokens = network.chunk_tokens
        self.register_buffer("importance", network.importance.clone())
        self.register_buffer("bigrams", network.bigrams.clone())
        bigram_table = build_table(network.bigrams)
        self.register_buffer("bigram_slots", bigram_table.bigrams)
        self.register_buffer("bigram_indices", bigram_table.indices)
        with torch.no_grad():
            self.register_buffer("recurrent", 4 * network.recurrent)  # [layers, directions, hidden, hidden]
            blocks = [torch.block_diag(*layer) for layer in self.recurrent]
            self.register_buffer("blocks", torch.stack(blocks))  # both directions in one matrix
            self.register_buffer("shift", self.blocks.sum(1) / 2)
            self.register_buffer("table", self._fold_table(network))
            self.deeper = nn.ModuleList()
            for layer, shift in zip(network.deeper, self.shift[1:], strict=True):
                assert isinstance(layer, Affine)
                self.deeper.append(_affine(4 * layer.weight, 2 * layer.bias - shift))
            self.output = _affine(2 * network.output.weight, network.output.bias)

    def _fold_table(self, network: TanhRNN) -> Tensor:
        """[directions * (rows + 1), hidden]: the last row of each direction is 0, for bigrams that are not known."""
        table = 2 * network.table.unflatten(0, (self.directions, self.rows))
        table[:, : self.words] += 2 * network.bias - self.shift[0].view_as(network.bias)  # each token has one word row
        return torch.cat([table, torch.zeros_like(table[:, :1])], 1).flatten(0, 1)

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """Return logits, float32 [documents, labels].

        ``ids``: int64, the ids of all documents in one sequence, n-gram ids after the token that they spell.
        ``starts``: int64 [documents], the index in ``ids`` of each document's first id.
        """
        positions, tokens, starts = self.split_tokens(ids, starts)
        weights = pooling_weights(tokens, starts, self.importance, self.pooling, starts.numel() == 1)
        begins, document = split_windows(starts, tokens.numel(), self.window)
        pooled = torch.zeros(starts.numel(), self.output.in_features, device=ids.device, dtype=self.table.dtype)
        first = 0
        for count in chunk_sizes(begins, self.chunk_tokens):
            begin, end, chunk_begins = chunk_bounds(begins, first, count, tokens.numel())
            row_ids = self.row_ids_between(tokens, starts, begin, end)
            states, rows = self.states(row_ids, ngrams_between(ids, positions, begin, end), chunk_begins)
            weight = weights[begin:end]
            sums = [embedding_bag(row, states, chunk_begins, mode="sum", per_sample_weights=weight) for row in rows]
            pooled.index_add_(0, document[first : first + count], torch.cat(sums, 1))
            first += count
        logits: Tensor = self.output(pooled)
        return logits

    def explain(self, ids: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and each token's attribution to the highest logit of its document, [tokens].

        The attribution is ``g w_t`` times the label's row of W_hy times h_t. The attributions of a document and b_y sum
        to the logit.
        """
        logits = self.forward(ids, starts)
        positions, tokens, starts = self.split_tokens(ids, starts)
        document = torch.repeat_interleave(segment_lengths(starts, tokens.numel()))
        label_weights = self.output.weight[logits.argmax(1)]
        begins, _ = split_windows(starts, tokens.numel(), self.window)
        attributions: list[Tensor] = []
        first = 0
        for count in chunk_sizes(begins, self.chunk_tokens):
            begin, end, chunk_begins = chunk_bounds(begins, first, count, tokens.numel())
            row_ids = self.row_ids_between(tokens, starts, begin, end)
            states, rows = self.states(row_ids, ngrams_between(ids, positions, begin, end), chunk_begins)
            attributions.append((in_text_order(states, rows) * label_weights[document[begin:end]]).sum(1))
            first += count
        weights = pooling_weights(tokens, starts, self.importance, self.pooling, starts.numel() == 1)
        return logits, torch.cat(attributions) * weights

    def split_tokens(self, ids: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the index in ``ids`` of each token, the token ids, and the first token of each document."""
        positions = token_positions(ids, self.words, self.grams)
        if positions.numel() == 0:
            return positions, ids, starts
        return positions, ids.index_select(0, positions), torch.searchsorted(positions, starts)

    def row_ids_between(self, tokens: Tensor, starts: Tensor, begin: int, end: int) -> Tensor:
        """``row_ids`` of the tokens from ``begin`` to ``end``; the first one's bigram includes the token in front."""
        from_token = max(begin - 1, 0)
        inside = ((starts >= from_token) & (starts < end)).nonzero().squeeze(1)
        return self.row_ids(tokens[from_token:end], starts.index_select(0, inside) - from_token)[begin - from_token :]

    def row_ids(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """The table rows of each token, int64 [tokens, 1 or 2]: its word and, in a network with bigrams, its bigram.

        The bigram's row is the zero row where the bigram is not known.
        """
        if self.bigrams.numel() == 0:
            return tokens.unsqueeze(1)
        first_bigram = self.words + self.grams
        bigram_table = CuckooTable(self.bigram_slots, self.bigram_indices)
        index = look_up(bigram_keys(tokens, starts, self.words), bigram_table, self.rows - first_bigram)
        return torch.stack([tokens, index + first_bigram], 1)

    def states(self, row_ids: Tensor, ngrams: CharacterNgrams, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Return h_t / 2 of the last layer, [tokens * directions, hidden], and the row of each token in it.

        The rows are int64 [directions, tokens]. ``begins``: int64 [windows], the first token of each window.
        """
        tokens, directions = row_ids.shape[0], self.directions
        packing = pack_windows(segment_lengths(begins, tokens), directions)
        direction = torch.arange(directions, device=begins.device)
        state_rows = packing.row * directions + direction.unsqueeze(1)
        table_rows = row_ids.index_select(0, packing.token.t().flatten()).view(tokens, directions, -1)
        table_rows += (direction * (self.rows + 1)).unsqueeze(1)
        inputs = embedding_bag(table_rows.flatten(0, 1), self.table, mode="sum")
        if ngrams.token.numel() > 0:
            ngram_rows = (ngrams.row + (direction * (self.rows + 1)).unsqueeze(1)).flatten()
            ngram_begins = (ngrams.begin + (direction * ngrams.row.numel()).unsqueeze(1)).flatten()
            targets = state_rows.index_select(1, ngrams.token).flatten()
            inputs.index_add_(0, targets, embedding_bag(ngram_rows, self.table, ngram_begins, mode="sum"))
        inputs = inputs.view(tokens, -1)
        states = logistic_recurrence(inputs, self.recurrent[0], self.blocks[0], self.shift[0], packing.active)
        for below, deeper in enumerate(self.deeper):
            layer = below + 1
            outputs = deeper(in_text_order(states.view(tokens * directions, -1), state_rows))
            outputs = outputs.view(tokens, directions, -1)
            inputs = torch.cat([outputs[:, d].index_select(0, packing.token[d]) for d in range(directions)], 1)
            states = logistic_recurrence(
                inputs, self.recurrent[layer], self.blocks[layer], self.shift[layer], packing.active
            )
        return states.view(tokens * directions, -1), state_rows


def logistic_recurrence(
    states: Tensor,
    recurrent: Tensor,
    blocks: Tensor,
    shift: Tensor,
    active: list[int],
    block_product_windows: int = BLOCK_PRODUCT_WINDOWS,
) -> Tensor:
    """Turn inputs u_t into s_t - 1/2 in place, with one product and one logistic function a step.

    ``states``: [tokens, directions * hidden], in the time order of ``Packing``.
    ``recurrent``: [directions, hidden, hidden], 4 W_hh transposed. ``blocks``: the same as one block-diagonal matrix.
    ``shift``: [directions * hidden], 4 W_hh s_0. ``active``: the number of windows that have a t-th token.
    """
    states[: active[0]] += shift
    by_direction = states.unflatten(1, recurrent.shape[:2]).transpose(0, 1)
    previous_begin, begin = 0, 0
    for count in active:
        step = states[begin : begin + count]
        if begin > 0 and count < block_product_windows:
            step.addmm_(states[previous_begin : previous_begin + count], blocks)
        elif begin > 0:
            by_direction[:, begin : begin + count].baddbmm_(
                by_direction[:, previous_begin : previous_begin + count], recurrent
            )
        step.sigmoid_()
        previous_begin, begin = begin, begin + count
    return states.sub_(0.5)


def in_text_order(states: Tensor, rows: Tensor) -> Tensor:
    """Reorder ``states`` to text order, [tokens, directions * hidden]; ``rows``: int64 [directions, tokens]."""
    return torch.cat([states.index_select(0, row) for row in rows], 1)


def _affine(weight: Tensor, bias: Tensor) -> Affine:
    layer = Affine(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
