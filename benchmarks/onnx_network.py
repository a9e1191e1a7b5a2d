"""The artifact's network with its recurrence in ONNX Runtime, called as the TorchScript one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn.functional import embedding

from model.layout import cut, lengths_of
from model.reading import read
from model.refusal import Refusal

if TYPE_CHECKING:
    from model.torchscript import Network

SIDES = ("forward", "reverse")


class OnnxNetwork:
    """Logits [documents, labels] of ``ids`` and ``starts``, as ``model.network.TanhRNN`` has them.

    Words are looked up, windows cut and states pooled in torch; an ``RNN`` node for each direction runs the windows, of
    the lengths that ``sequence_lens`` says. Its W_xh is the identity: what it would be is folded into the table.
    """

    def __init__(self, network: Network, threads: int = 1) -> None:
        if network.recurrent.shape[0] != 1:
            raise Refusal("this network has several layers, and ONNX Runtime is measured with one: train another")
        self.output, self.explain = network.output, network.explain
        self._network, self._directions = network, network.recurrent.shape[1]
        self._table = network.table.unflatten(0, (self._directions, -1))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(
            recurrence(network.recurrent[0]).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, ids: Tensor, starts: Tensor) -> Tensor:
        """See ``TanhRNN.forward``."""
        network = self._network
        tokens, starts, more = read(ids, starts, network.words, network.grams, network.pairs)
        begins, document = cut(starts, tokens.numel(), network.window)
        lengths = lengths_of(begins, tokens.numel())
        window = torch.repeat_interleave(lengths)
        step = torch.arange(tokens.numel()) - begins[window]
        given = {"lengths": lengths.int().numpy()}
        for side, table in zip(SIDES, self._table, strict=False):
            rows = embedding(tokens, table).index_add_(0, more.at, embedding(more.row, table))
            padded = rows.new_zeros(int(lengths.max()), lengths.numel(), rows.shape[1])
            padded[step, window] = rows
            given[side] = padded.numpy()
        weights = network.weights(tokens, starts).unsqueeze(1)
        states = [torch.from_numpy(found)[step, 0, window] * weights for found in self._session.run(None, given)]
        pooled = torch.zeros(starts.numel(), self.output.in_features).index_add_(
            0, document[window], torch.cat(states, 1)
        )
        logits: Tensor = self.output(pooled)
        return logits


def recurrence(recurrent: Tensor) -> onnx.ModelProto:
    """h_t = tanh(W_hh h_{t-1} + x_t) for each direction; ``recurrent``: [directions, hidden, hidden], transposed."""
    hidden = recurrent.shape[-1]
    sides = SIDES[: len(recurrent)]
    constants = [numpy_helper.from_array(np.eye(hidden, dtype=np.float32)[None], "identity")]
    nodes, inputs, outputs = [], [helper.make_tensor_value_info("lengths", TensorProto.INT32, ["windows"])], []
    for side, matrix in zip(sides, recurrent, strict=True):
        constants.append(numpy_helper.from_array(matrix.T.contiguous().numpy()[None], f"recurrent_{side}"))
        given, found = [side, "identity", f"recurrent_{side}", "", "lengths"], [f"states_{side}"]
        nodes.append(helper.make_node("RNN", given, found, direction=side, hidden_size=hidden, activations=["Tanh"]))
        inputs.append(helper.make_tensor_value_info(side, TensorProto.FLOAT, ["steps", "windows", hidden]))
        outputs.append(helper.make_tensor_value_info(*found, TensorProto.FLOAT, ["steps", 1, "windows", hidden]))
    graph = helper.make_graph(nodes, "recurrence", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
