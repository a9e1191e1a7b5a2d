"""h_t = tanh(W_hh h_{t-1} + x_t) over all windows at once, and its derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def tanh_recurrence(inputs: Tensor, recurrent: Tensor, active: list[int]) -> Tensor:
    """Turn inputs into states, in place: one product and one tanh a step.

    ``inputs``: [directions, tokens, hidden], W_xh x_t + b_h in the time order of ``layout``. ``recurrent``:
    [directions, hidden, hidden], W_hh transposed. ``active``: windows that have a t-th token.
    """
    states: Tensor = _Recur.apply(inputs, recurrent, active)  # type: ignore[no-untyped-call]  # torch gives Function.apply no types
    return states


class _Recur(torch.autograd.Function):
    """Back-propagation through time (Werbos, 1990), 2 products a step and no graph of single steps.

    d_t = (g_t + d_{t+1} W_hh) (1 - h_t^2)
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, recurrent: Tensor, active: list[int]) -> Tensor:
        previous, begin = 0, 0
        for count in active:
            now = inputs[:, begin : begin + count]
            if begin > 0:
                now.baddbmm_(inputs[:, previous : previous + count], recurrent)
            now.tanh_()
            previous, begin = begin, begin + count
        ctx.mark_dirty(inputs)
        ctx.save_for_backward(inputs, recurrent)
        ctx.active = active
        return inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        states, recurrent = ctx.saved_tensors
        slope = 1 - states * states
        delta = gradient.clone()
        into_recurrent = torch.zeros_like(recurrent)
        end = states.shape[1]
        for t in range(len(ctx.active) - 1, -1, -1):
            count = ctx.active[t]
            now = delta[:, end - count : end].mul_(slope[:, end - count : end])
            end -= count
            if t > 0:
                before = slice(end - ctx.active[t - 1], end - ctx.active[t - 1] + count)
                delta[:, before].baddbmm_(now, recurrent.mT)
                into_recurrent.baddbmm_(states[:, before].mT, now)
        return delta, into_recurrent, None
