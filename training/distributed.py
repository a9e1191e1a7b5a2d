"""Several processes as one: each reads its share of a batch's documents, and all take the same step.

    torchrun --nproc-per-node 2 -m training CORPUS --out DIR

All have the same documents and draw the same random numbers. What a document's states come to is sent to everyone, so
that each has the whole batch for the mixture, the output layer and the loss; the way back through the documents is each
one's own, and its gradients are summed. Up to the order of those sums this is what one process does: data-parallel
descent (DDP: Li et al., 2020) whose batch is cut after it is drawn, so that more processes do not make it larger.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
import torch.distributed as processes
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from model import device
from model.network.packing import segment_lengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.network.tanh_rnn import TanhRNN
    from training.batches import Batch


def run(main: Callable[[], int]) -> NoReturn:
    """Exit with what ``main`` returns, run as one of torchrun's processes where it started this one.

    All but the first are silent.
    """
    if not processes.is_torchelastic_launched():
        sys.exit(main())
    processes.init_process_group("cpu:gloo,cuda:nccl" if device.select_device("auto").type == "cuda" else "gloo")
    try:
        with ExitStack() as quiet:
            if not first():
                quiet.enter_context(redirect_stderr(quiet.enter_context(Path(os.devnull).open("w"))))
            ended = main()
    finally:
        processes.destroy_process_group()
    sys.stderr.flush()
    os._exit(ended)  # gloo's threads may hold a tensor still: one run in nine crashed as the interpreter was taken down


def together() -> bool:
    """Whether there are others."""
    return processes.is_available() and processes.is_initialized()


def first() -> bool:
    """Whether this is the process that writes and speaks."""
    return not together() or processes.get_rank() == 0


def place() -> tuple[int, int]:
    """Which process on this machine this is, from 0, and how many there are."""
    return (processes.get_node_local_rank(), processes.get_world_size()) if together() else (0, 1)


def meet() -> None:
    """Wait until all are here."""
    if together():
        processes.all_reduce(torch.zeros(1))


def share(lengths: Tensor) -> Tensor:
    """The places of this process's documents among those of ``lengths``: dealt out from the longest to the shortest."""
    if not together():
        return torch.arange(len(lengths), device=lengths.device)
    return lengths.argsort(descending=True, stable=True)[processes.get_rank() :: processes.get_world_size()]


def whole(rows: Tensor, own: Tensor, count: int) -> Tensor:
    """All ``count`` rows, of which this process has ``rows`` at the places ``own``; only those lead back to weights."""
    if not together():
        return rows
    everyone = torch.zeros(count, *rows.shape[1:], device=rows.device).index_copy(0, own, rows.detach())
    processes.all_reduce(everyone)  # where one has a row the others have zeros: the sum is exact
    return everyone.index_copy(0, own, rows)


def pool(network: TanhRNN, batch: Batch, common: int) -> Tensor:
    """``network.pool`` of a batch of which this process reads its share, [documents, directions * hidden]."""
    if not together():
        return network.pool(batch.tokens, batch.starts, common)
    lengths = segment_lengths(batch.starts, batch.tokens.numel())
    own = share(lengths)
    rows = torch.zeros(0, network.output.in_features, device=own.device)
    if len(own):
        each = batch.tokens.tensor_split(batch.starts[1:].cpu())
        tokens = torch.cat([each[number] for number in own.tolist()])
        rows = network.pool(tokens, lengths[own].cumsum(0) - lengths[own], common)
    return whole(rows, own, len(lengths))


def add_gradients(network: TanhRNN) -> None:
    """Give each weight before the pooling the sum of all processes' gradients; the output layer has the whole one."""
    if not together():
        return
    dense = [weight for name, weight in network.named_parameters() if name.split(".")[0] not in ("table", "output")]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in dense]
    summed = parameters_to_vector(gradients)
    processes.all_reduce(summed)
    vector_to_parameters(summed, gradients)
    for weight, gradient in zip(dense, gradients, strict=True):
        weight.grad = gradient
    table = network.table
    rows, values = torch.empty(0, dtype=torch.int64, device=table.device), table.detach()[:0]
    if table.grad is not None:
        own = table.grad.coalesce()
        rows, values = own.indices()[0], own.values()
    every = _gathered(rows).unsqueeze(0), _gathered(values)
    table.grad = torch.sparse_coo_tensor(*every, table.shape, check_invariants=False)


def _gathered(own: Tensor) -> Tensor:
    """The rows of all processes end to end, however many each has."""
    counts = [torch.zeros(1, dtype=torch.int64, device=own.device) for _ in range(processes.get_world_size())]
    processes.all_gather(counts, torch.full_like(counts[0], len(own)))
    longest = int(torch.cat(counts).max())
    padded = own.new_zeros(longest, *own.shape[1:])
    padded[: len(own)] = own
    every = [torch.empty_like(padded) for _ in counts]
    processes.all_gather(every, padded)
    return torch.cat([rows[: int(count)] for rows, count in zip(every, counts, strict=True)])
