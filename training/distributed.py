"""Data-parallel training: several ranks each read a part of a batch's documents, and all take the same step.

    torchrun --nproc-per-node 2 -m training CORPUS --out DIR

All ranks have the same documents and draw the same random numbers. The pooled states of each document go to all ranks:
each computes mixup, output layer and loss of the whole batch. The backward pass through the documents stays on the rank
that read them; its gradients are summed over ranks. Up to the order of these sums the result is that of one process.
This is data-parallel descent (DDP: Li et al., 2020). A batch is divided after it is drawn, so that more ranks do not
enlarge it.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
import torch.distributed as torch_distributed
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from model import device
from model.network.packing import segment_lengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.network.tanh_rnn import TanhRNN
    from training.encoded_corpus import Batch


def run(main: Callable[[], int]) -> NoReturn:
    """Exit with the code that ``main`` returns; under torchrun, run it as one of the ranks.

    Ranks other than the first write nothing on stderr.
    """
    if not torch_distributed.is_torchelastic_launched():
        sys.exit(main())
    torch_distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device.select_device("auto").type == "cuda" else "gloo"
    )
    try:
        with ExitStack() as contexts:
            if not is_first_rank():
                contexts.enter_context(redirect_stderr(contexts.enter_context(Path(os.devnull).open("w"))))
            exit_code = main()
    finally:
        torch_distributed.destroy_process_group()
    sys.stderr.flush()
    os._exit(exit_code)  # gloo's threads can still hold a tensor: one run in nine crashed at interpreter shutdown


def is_distributed() -> bool:
    """Whether this process is one of several ranks."""
    return torch_distributed.is_available() and torch_distributed.is_initialized()


def is_first_rank() -> bool:
    """Whether this process writes the artifact and the messages."""
    return not is_distributed() or torch_distributed.get_rank() == 0


def local_rank_and_world_size() -> tuple[int, int]:
    """The number of this process on its machine, from 0, and the number of all ranks."""
    if not is_distributed():
        return 0, 1
    return torch_distributed.get_node_local_rank(), torch_distributed.get_world_size()


def wait_for_all_ranks() -> None:
    """Return when all ranks have called this."""
    if is_distributed():
        torch_distributed.all_reduce(torch.zeros(1))


def documents_of_rank(lengths: Tensor) -> Tensor:
    """The positions in ``lengths`` of the documents that this rank reads, dealt from the longest to the shortest."""
    if not is_distributed():
        return torch.arange(len(lengths), device=lengths.device)
    rank, ranks = torch_distributed.get_rank(), torch_distributed.get_world_size()
    return lengths.argsort(descending=True, stable=True)[rank::ranks]


def gather_rows(rows: Tensor, positions: Tensor, count: int) -> Tensor:
    """All ``count`` rows, of which this rank has ``rows`` at ``positions``. Gradients flow through these alone."""
    if not is_distributed():
        return rows
    gathered = torch.zeros(count, *rows.shape[1:], device=rows.device).index_copy(0, positions, rows.detach())
    torch_distributed.all_reduce(gathered)  # one rank has the row, the others zeros: the sum is exact
    return gathered.index_copy(0, positions, rows)


def pool_batch(network: TanhRNN, batch: Batch, first_rare_id: int) -> Tensor:
    """``network.pool`` of a batch, [documents, directions * hidden]; this rank reads its part of the documents."""
    if not is_distributed():
        return network.pool(batch.tokens, batch.starts, first_rare_id)
    lengths = segment_lengths(batch.starts, batch.tokens.numel())
    positions = documents_of_rank(lengths)
    pooled = torch.zeros(0, network.output.in_features, device=positions.device)
    if len(positions):
        documents = batch.tokens.tensor_split(batch.starts[1:].cpu())
        tokens = torch.cat([documents[position] for position in positions.tolist()])
        pooled = network.pool(tokens, lengths[positions].cumsum(0) - lengths[positions], first_rare_id)
    return gather_rows(pooled, positions, len(lengths))


def sum_gradients(network: TanhRNN) -> None:
    """Sum the gradients of all weights before the pooling over the ranks; the output layer has the same on each."""
    if not is_distributed():
        return
    dense = [weight for name, weight in network.named_parameters() if name.split(".")[0] not in ("table", "output")]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in dense]
    summed = parameters_to_vector(gradients)
    torch_distributed.all_reduce(summed)
    vector_to_parameters(summed, gradients)
    for weight, gradient in zip(dense, gradients, strict=True):
        weight.grad = gradient
    table = network.table
    rows, values = torch.empty(0, dtype=torch.int64, device=table.device), table.detach()[:0]
    if table.grad is not None:
        gradient = table.grad.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
    all_rows, all_values = _concatenate_ranks(rows).unsqueeze(0), _concatenate_ranks(values)
    table.grad = torch.sparse_coo_tensor(all_rows, all_values, table.shape, check_invariants=False)


def _concatenate_ranks(rows: Tensor) -> Tensor:
    """The rows of all ranks end to end; each rank can have a different number."""
    counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(torch_distributed.get_world_size())]
    torch_distributed.all_gather(counts, torch.full_like(counts[0], len(rows)))
    longest = int(torch.cat(counts).max())
    padded = rows.new_zeros(longest, *rows.shape[1:])
    padded[: len(rows)] = rows
    gathered = [torch.empty_like(padded) for _ in counts]
    torch_distributed.all_gather(gathered, padded)
    return torch.cat([part[: int(count)] for part, count in zip(gathered, counts, strict=True)])
