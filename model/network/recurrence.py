"""The tanh recurrence over all windows at once, and its derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def tanh_recurrence(inputs: Tensor, recurrent: Tensor, active: list[int]) -> Tensor:
    """Turn inputs into states h_t = tanh(W_hh h_{t-1} + x_t) in place, with one product and one tanh a step.

    ``inputs``: [directions, tokens, hidden], W_xh x_t + b_h in the time order of ``Packing``.
    ``recurrent``: [directions, hidden, hidden], W_hh transposed.
    ``active``: the number of windows that have a t-th token.
    """
    states: Tensor = _TanhRecurrence.apply(inputs, recurrent, active)  # type: ignore[no-untyped-call]  # torch gives Function.apply no types
    return states


class _TanhRecurrence(torch.autograd.Function):
    """Back-propagation through time (Werbos, 1990) with two products a step and no graph of single steps.

    The gradient of the pre-activation at step t is d_t = (g_t + d_{t+1} W_hh) (1 - h_t^2).
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, recurrent: Tensor, active: list[int]) -> Tensor:
        previous_begin, begin = 0, 0
        for count in active:
            step = inputs[:, begin : begin + count]
            if begin > 0:
                step.baddbmm_(inputs[:, previous_begin : previous_begin + count], recurrent)
            step.tanh_()
            previous_begin, begin = begin, begin + count
        ctx.mark_dirty(inputs)
        ctx.save_for_backward(inputs, recurrent)
        ctx.active = active
        return inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        states, recurrent = ctx.saved_tensors
        slope = 1 - states * states
        delta = gradient.clone()
        recurrent_gradient = torch.zeros_like(recurrent)
        end = states.shape[1]
        for t in range(len(ctx.active) - 1, -1, -1):
            count = ctx.active[t]
            step = delta[:, end - count : end].mul_(slope[:, end - count : end])
            end -= count
            if t > 0:
                previous = slice(end - ctx.active[t - 1], end - ctx.active[t - 1] + count)
                delta[:, previous].baddbmm_(step, recurrent.mT)
                recurrent_gradient.baddbmm_(states[:, previous].mT, step)
        return delta, recurrent_gradient, None
