"""Documents → windows → time order: where each token's state lies while the recurrence runs."""

from typing import NamedTuple

import torch
from torch import Tensor


class Packing(NamedTuple):
    """The tokens of some windows in time order: all first tokens, then all second tokens, …; longest window first.

    ``place``: int64 [directions, tokens], the row of each token; direction 1 begins at each window's end.
    ``token``: int64 [directions, tokens], the inverse: the token that lies in each row.
    ``active``: how many windows have a first token, a second, …
    """

    place: Tensor
    token: Tensor
    active: list[int]


def pack_windows(lengths: Tensor, directions: int) -> Packing:
    """``lengths``: int64 [windows], tokens in each window, in document order and none of them 0."""
    rank = torch.argsort(torch.argsort(lengths, descending=True, stable=True))
    counts = torch.bincount(lengths)
    active = lengths.numel() - counts.cumsum(0)[:-1]  # windows longer than 0, than 1, …
    first_row = active.cumsum(0) - active
    window = torch.repeat_interleave(lengths)
    token = torch.arange(window.numel(), device=lengths.device)
    own_rank = rank.index_select(0, window)
    step = token - (lengths.cumsum(0) - lengths).index_select(0, window)
    place = (first_row.index_select(0, step) + own_rank).unsqueeze(0)
    if directions == 2:
        from_end = (lengths - 1).index_select(0, window) - step
        place = torch.cat([place, (first_row.index_select(0, from_end) + own_rank).unsqueeze(0)])
    inverse = torch.empty_like(place).scatter_(1, place, token.expand_as(place))
    steps: list[int] = active.tolist()
    return Packing(place, inverse, steps)


def segment_lengths(begins: Tensor, tokens: int) -> Tensor:
    """How far each of ``begins`` (int64, rising) is from the next, the last one from ``tokens``."""
    return torch.diff(begins, append=torch.full([1], tokens, dtype=torch.int64, device=begins.device))


def split_windows(starts: Tensor, tokens: int, window: int) -> tuple[Tensor, Tensor]:
    """Where each window begins and whose it is, int64 [windows] both; ``window`` 0: each document is one window."""
    documents = torch.arange(starts.numel(), device=starts.device)
    if window == 0:
        return starts, documents
    windows = torch.div(segment_lengths(starts, tokens) + window - 1, window, rounding_mode="floor")
    document = torch.repeat_interleave(windows)
    first = starts - (windows.cumsum(0) - windows) * window
    nth = torch.arange(document.numel(), device=starts.device)
    return first.index_select(0, document) + nth * window, document


def chunk_sizes(begins: Tensor, size: int) -> list[int]:
    """How many windows each run of about ``size`` tokens holds, in order: whole windows, at least one."""
    number = torch.div(begins, size, rounding_mode="floor")
    counts: list[int] = torch.unique_consecutive(number, return_counts=True)[1].tolist()
    return counts


def chunk_bounds(begins: Tensor, first: int, count: int, tokens: int) -> tuple[int, int, Tensor]:
    """The tokens of ``count`` windows from ``first`` on: begin, end, and the windows' own begins counted from there."""
    begin = int(begins[first])
    end = int(begins[first + count]) if first + count < begins.numel() else tokens
    return begin, end, begins[first : first + count] - begin
