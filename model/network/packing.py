"""Splits documents into windows and orders the tokens of all windows by time, without padding."""

from typing import NamedTuple

import torch
from torch import Tensor


class Packing(NamedTuple):
    """The time order of the tokens of some windows: the first token of each window, then each second token, and so on.

    Within a step the longest window is first, as in ``torch.nn.utils.rnn.pack_padded_sequence``.

    ``row``: int64 [directions, tokens], the row of each token in time order. Direction 1 starts at the window's end.
    ``token``: int64 [directions, tokens], the inverse: the token of each row.
    ``active``: the number of windows that have a t-th token, for t = 0, 1, …
    """

    row: Tensor
    token: Tensor
    active: list[int]


def pack_windows(lengths: Tensor, directions: int) -> Packing:
    """``lengths``: int64 [windows], tokens of each window in text order, at least one."""
    rank = torch.argsort(torch.argsort(lengths, descending=True, stable=True))
    counts = torch.bincount(lengths)
    active = lengths.numel() - counts.cumsum(0)[:-1]  # windows longer than 0, than 1, …
    first_row = active.cumsum(0) - active
    window = torch.repeat_interleave(lengths)
    token = torch.arange(window.numel(), device=lengths.device)
    window_rank = rank.index_select(0, window)
    step = token - (lengths.cumsum(0) - lengths).index_select(0, window)
    row = (first_row.index_select(0, step) + window_rank).unsqueeze(0)
    if directions == 2:
        step_from_end = (lengths - 1).index_select(0, window) - step
        row = torch.cat([row, (first_row.index_select(0, step_from_end) + window_rank).unsqueeze(0)])
    inverse = torch.empty_like(row).scatter_(1, row, token.expand_as(row))
    active_counts: list[int] = active.tolist()
    return Packing(row, inverse, active_counts)


def segment_lengths(starts: Tensor, total: int) -> Tensor:
    """The length of each segment, int64 [segments]; ``starts``: int64 [segments], rising; ``total``: all tokens."""
    return torch.diff(starts, append=torch.full([1], total, dtype=torch.int64, device=starts.device))


def split_windows(starts: Tensor, tokens: int, window: int) -> tuple[Tensor, Tensor]:
    """Return the first token and the document of each window, int64 [windows] both.

    ``starts``: int64 [documents], the first token of each document. ``window``: tokens in a window; 0 makes each
    document one window.
    """
    documents = torch.arange(starts.numel(), device=starts.device)
    if window == 0:
        return starts, documents
    counts = torch.div(segment_lengths(starts, tokens) + window - 1, window, rounding_mode="floor")
    document = torch.repeat_interleave(counts)
    shifted_starts = starts - (counts.cumsum(0) - counts) * window
    index = torch.arange(document.numel(), device=starts.device)
    return shifted_starts.index_select(0, document) + index * window, document


def chunk_sizes(begins: Tensor, chunk_tokens: int) -> list[int]:
    """The number of windows in each chunk of about ``chunk_tokens`` tokens, at least one.

    ``begins``: int64 [windows], the first token of each window.
    """
    chunk = torch.div(begins, chunk_tokens, rounding_mode="floor")
    sizes: list[int] = torch.unique_consecutive(chunk, return_counts=True)[1].tolist()
    return sizes


def chunk_bounds(begins: Tensor, first: int, count: int, tokens: int) -> tuple[int, int, Tensor]:
    """Return the token range (begin, end) of ``count`` windows from ``first`` on, and their begins relative to it."""
    begin = int(begins[first])
    end = int(begins[first + count]) if first + count < begins.numel() else tokens
    return begin, end, begins[first : first + count] - begin
