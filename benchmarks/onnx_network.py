"""The network of an artifact with its recurrence in ONNX Runtime, with the interface of the TorchScript network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn.functional import embedding, embedding_bag

from model.errors import UsageError
from model.network.embedding_rows import split_ids
from model.network.packing import segment_lengths, split_windows
from model.network.pooling import pooling_weights

if TYPE_CHECKING:
    from model.artifacts.torchscript import Network

SIDES = ("forward", "reverse")


class OnnxNetwork:
    """Logits [documents, labels] of ``ids`` and ``starts``, as ``InferenceNetwork`` returns them.

    Torch looks words up, splits windows and pools states. An ``RNN`` node for each direction runs the windows with
    ``sequence_lens``. Its W_xh is the identity, since the table contains W_xh. States are logistic and begin at 0.5.
    """

    def __init__(self, network: Network, threads: int = 1) -> None:
        if len(network.recurrent) != 1:
            raise UsageError("this network has several layers, and ONNX Runtime is measured with one: train another")
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
        tokens, starts, spelt = split_ids(ids, starts, network.words, network.grams)
        looked_up = network.row_ids(tokens, starts)
        begins, document = split_windows(starts, tokens.numel(), network.window)
        lengths = segment_lengths(begins, tokens.numel())
        window = torch.repeat_interleave(lengths)
        step = torch.arange(tokens.numel()) - begins[window]
        first = np.full((1, lengths.numel(), network.recurrent.shape[-1]), 0.5, dtype=np.float32)
        inputs = {"lengths": lengths.int().numpy(), "first": first}
        for side, table in zip(SIDES, self._table, strict=False):
            rows = embedding_bag(looked_up, table, mode="sum").index_add_(0, spelt.token, embedding(spelt.row, table))
            padded = rows.new_zeros(int(lengths.max()), lengths.numel(), rows.shape[1])
            padded[step, window] = rows
            inputs[side] = padded.numpy()
        weights = pooling_weights(tokens, starts, network.importance, network.pooling).unsqueeze(1)
        found = [torch.from_numpy(states)[step, 0, window] for states in self._session.run(None, inputs)]
        states = [(direction - 0.5) * weights for direction in found]
        pooled = torch.zeros(starts.numel(), self.output.in_features).index_add_(
            0, document[window], torch.cat(states, 1)
        )
        logits: Tensor = self.output(pooled)
        return logits


def recurrence(recurrent: Tensor) -> onnx.ModelProto:
    """s_t = s(4 W_hh s_{t-1} + u_t) for each direction; ``recurrent``: [directions, hidden, hidden], transposed."""
    hidden = recurrent.shape[-1]
    sides = SIDES[: len(recurrent)]
    constants = [numpy_helper.from_array(np.eye(hidden, dtype=np.float32)[None], "identity")]
    inputs = [helper.make_tensor_value_info("lengths", TensorProto.INT32, ["windows"])]
    inputs.append(helper.make_tensor_value_info("first", TensorProto.FLOAT, [1, "windows", hidden]))
    nodes, outputs = [], []
    for side, matrix in zip(sides, recurrent, strict=True):
        constants.append(numpy_helper.from_array(matrix.T.contiguous().numpy()[None], f"recurrent_{side}"))
        node_inputs, node_outputs = [side, "identity", f"recurrent_{side}", "", "lengths", "first"], [f"states_{side}"]
        nodes.append(
            helper.make_node(
                "RNN", node_inputs, node_outputs, direction=side, hidden_size=hidden, activations=["Sigmoid"]
            )
        )
        inputs.append(helper.make_tensor_value_info(side, TensorProto.FLOAT, ["steps", "windows", hidden]))
        outputs.append(helper.make_tensor_value_info(*node_outputs, TensorProto.FLOAT, ["steps", 1, "windows", hidden]))
    graph = helper.make_graph(nodes, "recurrence", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
