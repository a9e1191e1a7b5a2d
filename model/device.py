"""Where the network runs: the one place that chooses between CPU and GPU."""

import torch

from model.refusal import Refusal

NAMES = ("auto", "cpu", "cuda")


def choose(name: str, number: int = 0, processes: int = 1) -> torch.device:
    """``auto`` is the GPU where torch sees one, else the CPU; raise ``Refusal`` for a GPU that is not there.

    Of several ``processes`` each has a GPU of its own, the one of its ``number``.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise Refusal(
            "device cuda was asked for and torch sees no GPU: say auto or cpu, or install a CUDA build of torch"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and processes > torch.cuda.device_count():
        raise Refusal(
            f"{processes} processes need a GPU each and torch sees {torch.cuda.device_count()}: start fewer, or say cpu"
        )
    return torch.device(name, number) if name == "cuda" else torch.device(name)


def use_threads(threads: int) -> None:
    """How many cores a product may take, in the whole process."""
    torch.set_num_threads(threads)
