"""A trained network as it is served: the answers of ``TanhRNN`` from less work.

tanh(a) = 2 s(2a) - 1, and torch takes a sixth of the time for the logistic function s. So it is

    s_t = s(4 W_hh s_{t-1} + u_t)      u_t = 2 (W_xh x_t + b_h - W_hh 1)      h_t = 2 s_t - 1      s_0 = 1/2

where all factors, b_h and the sums of W_hh's rows are folded into the table and the weights. A word and its pair are
one look-up of two rows; both directions of a state lie side by side.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from model.network.bigram_table import CuckooTable, build_table, look_up
from model.network.embedding_rows import CharacterNgrams, bigram_keys, ngrams_between, word_positions
from model.network.packing import chunk_bounds, chunk_sizes, pack_windows, segment_lengths, split_windows
from model.network.pooling import pooling_weights
from model.network.tanh_rnn import Affine, TanhRNN

BLOCK_PRODUCT_WINDOWS = 64
"""Windows below which both directions are one product with zeros in it: fewer calls then save more than zeros cost."""


class InferenceNetwork(nn.Module):
    """``network`` folded: word ids of many documents in, one row of logits for each out."""

    importance: Tensor
    bigrams: Tensor
    nest_pair: Tensor
    nest_number: Tensor
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
        nests = build_table(network.bigrams)
        self.register_buffer("nest_pair", nests.pair)
        self.register_buffer("nest_number", nests.number)
        with torch.no_grad():
            self.register_buffer("recurrent", 4 * network.recurrent)  # [layers, directions, hidden, hidden]
            blocks = [torch.block_diag(*layer) for layer in self.recurrent]
            self.register_buffer("blocks", torch.stack(blocks))  # both directions in one, zeros between them
            self.register_buffer("shift", self.blocks.sum(1) / 2)
            self.register_buffer("table", self._folded_table(network))
            self.deeper = nn.ModuleList()
            for layer, shift in zip(network.deeper, self.shift[1:], strict=True):
                assert isinstance(layer, Affine)
                self.deeper.append(_affine(4 * layer.weight, 2 * layer.bias - shift))
            self.output = _affine(2 * network.output.weight, network.output.bias)

    def _folded_table(self, network: TanhRNN) -> Tensor:
        """[directions * (rows + 1), hidden]: each direction's last row is 0, for a word whose pair is not known."""
        table = 2 * network.table.unflatten(0, (self.directions, self.rows))
        table[:, : self.words] += 2 * network.bias - self.shift[0].view_as(network.bias)  # each token is one word
        return torch.cat([table, torch.zeros_like(table[:, :1])], 1).flatten(0, 1)

    def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
        """Logits, float32 [documents, labels].

        ``ids``: int64, the words of all documents end to end, each document at least one, grams after their word.
        ``starts``: int64 [documents], where in ``ids`` each document begins.
        """
        at, tokens, starts = self.words_of(ids, starts)
        weights = pooling_weights(tokens, starts, self.importance, self.pooling, starts.numel() == 1)
        begins, document = split_windows(starts, tokens.numel(), self.window)
        pooled = torch.zeros(starts.numel(), self.output.in_features, device=ids.device, dtype=self.table.dtype)
        first = 0
        for count in chunk_sizes(begins, self.chunk_tokens):
            begin, end, own = chunk_bounds(begins, first, count, tokens.numel())
            looked_up = self.looked_up_between(tokens, starts, begin, end)
            states, place = self.states(looked_up, ngrams_between(ids, at, begin, end), own)
            weight = weights[begin:end]
            each = [embedding_bag(at, states, own, mode="sum", per_sample_weights=weight) for at in place]
            pooled.index_add_(0, document[first : first + count], torch.cat(each, 1))
            first += count
        logits: Tensor = self.output(pooled)
        return logits

    def explain(self, ids: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and each word's share of its document's highest logit, [words].

        A share is ``g w_t`` times the label's row of W_hy times h_t: a document's shares and b_y sum to the logit.
        """
        logits = self.forward(ids, starts)
        at, tokens, starts = self.words_of(ids, starts)
        document = torch.repeat_interleave(segment_lengths(starts, tokens.numel()))
        toward = self.output.weight[logits.argmax(1)]
        begins, _ = split_windows(starts, tokens.numel(), self.window)
        shares: list[Tensor] = []
        first = 0
        for count in chunk_sizes(begins, self.chunk_tokens):
            begin, end, own = chunk_bounds(begins, first, count, tokens.numel())
            looked_up = self.looked_up_between(tokens, starts, begin, end)
            states, place = self.states(looked_up, ngrams_between(ids, at, begin, end), own)
            shares.append((in_text_order(states, place) * toward[document[begin:end]]).sum(1))
            first += count
        weights = pooling_weights(tokens, starts, self.importance, self.pooling, starts.numel() == 1)
        return logits, torch.cat(shares) * weights

    def words_of(self, ids: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where in ``ids`` words stand, the words [words], and where each document begins among them."""
        at = word_positions(ids, self.words, self.grams)
        if at.numel() == 0:
            return at, ids, starts
        return at, ids.index_select(0, at), torch.searchsorted(at, starts)

    def looked_up_between(self, tokens: Tensor, starts: Tensor, begin: int, end: int) -> Tensor:
        """``looked_up`` of the tokens from ``begin`` to ``end``: the first makes a pair with the one before it."""
        before = max(begin - 1, 0)
        inside = ((starts >= before) & (starts < end)).nonzero().squeeze(1)
        return self.looked_up(tokens[before:end], starts.index_select(0, inside) - before)[begin - before :]

    def looked_up(self, tokens: Tensor, starts: Tensor) -> Tensor:
        """The rows of each word, [tokens, 1 or 2]: its own and, where pairs are known, its pair's or the row of 0."""
        if self.bigrams.numel() == 0:
            return tokens.unsqueeze(1)
        first = self.words + self.grams
        nests = CuckooTable(self.nest_pair, self.nest_number)
        number = look_up(bigram_keys(tokens, starts, self.words), nests, self.rows - first)
        return torch.stack([tokens, number + first], 1)

    def states(self, looked_up: Tensor, spelt: CharacterNgrams, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Half of the last layer's h_t, of windows that begin at ``begins``, and where each token's lies.

        The states are [tokens * directions, hidden], the places int64 [directions, tokens].
        """
        tokens, sides = looked_up.shape[0], self.directions
        layout = pack_windows(segment_lengths(begins, tokens), sides)
        side = torch.arange(sides, device=begins.device)
        place = layout.place * sides + side.unsqueeze(1)
        rows = looked_up.index_select(0, layout.token.t().flatten()).view(tokens, sides, -1)
        rows += (side * (self.rows + 1)).unsqueeze(1)
        inputs = embedding_bag(rows.flatten(0, 1), self.table, mode="sum")
        if spelt.at.numel() > 0:
            row = (spelt.row + (side * (self.rows + 1)).unsqueeze(1)).flatten()
            begin = (spelt.begin + (side * spelt.row.numel()).unsqueeze(1)).flatten()
            at = place.index_select(1, spelt.at).flatten()
            inputs.index_add_(0, at, embedding_bag(row, self.table, begin, mode="sum"))
        states = logistic_recurrence(
            inputs.view(tokens, -1), self.recurrent[0], self.blocks[0], self.shift[0], layout.active
        )
        for below, deeper in enumerate(self.deeper):
            layer = below + 1
            each = deeper(in_text_order(states.view(tokens * sides, -1), place)).view(tokens, sides, -1)
            inputs = torch.cat([each[:, s].index_select(0, layout.token[s]) for s in range(sides)], 1)
            states = logistic_recurrence(
                inputs, self.recurrent[layer], self.blocks[layer], self.shift[layer], layout.active
            )
        return states.view(tokens * sides, -1), place


def logistic_recurrence(
    states: Tensor,
    recurrent: Tensor,
    blocks: Tensor,
    shift: Tensor,
    active: list[int],
    few: int = BLOCK_PRODUCT_WINDOWS,
) -> Tensor:
    """Turn inputs u_t into s_t - 1/2, in place: one product and one logistic function a step.

    ``states``: [tokens, directions * hidden] in the time order of ``layout``. ``recurrent``: [directions, hidden,
    hidden], 4 W_hh transposed; ``blocks``: the same as one matrix. ``shift``: what 4 W_hh s_0 is. ``active``: windows
    that have a t-th token.
    """
    states[: active[0]] += shift
    sides = states.unflatten(1, recurrent.shape[:2]).transpose(0, 1)
    previous, begin = 0, 0
    for count in active:
        now = states[begin : begin + count]
        if begin > 0 and count < few:
            now.addmm_(states[previous : previous + count], blocks)
        elif begin > 0:
            sides[:, begin : begin + count].baddbmm_(sides[:, previous : previous + count], recurrent)
        now.sigmoid_()
        previous, begin = begin, begin + count
    return states.sub_(0.5)


def in_text_order(states: Tensor, place: Tensor) -> Tensor:
    """States that lie at ``place`` as [tokens, directions * hidden] in the order of the text."""
    return torch.cat([states.index_select(0, at) for at in place], 1)


def _affine(weight: Tensor, bias: Tensor) -> Affine:
    layer = Affine(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
