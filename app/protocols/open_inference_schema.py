"""The schema of the Open Inference Protocol: one tensor of texts in, tensors of labels and scores out."""

from __future__ import annotations

import math
import struct
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.errors import InvalidBody
from app.parsing.documents import check_documents
from app.parsing.schemas import NULL_IS_UNSET, ValidUnicode
from model.command_output import format_count

if TYPE_CHECKING:
    from app.api.answer_schemas import Answer
    from app.protocols.common_answers import TextAnswers


def _refuse_shared_memory(region: str) -> str:
    raise ValueError("no memory is shared: send the tensor in the body")


MAX_SIZE = 10**20
"""More than any body has, and short enough for a sentence: Python formats no number of more than 4,300 digits."""
LENGTH_BYTES = 4
"""Bytes of the length before each text of a binary tensor."""
Size = Annotated[int, Field(ge=0, le=MAX_SIZE)]
SharedMemory = Annotated[str, AfterValidator(_refuse_shared_memory)]


class OpenSchema(BaseModel):
    """Ignores unknown fields, which the protocol allows: KServe's client repeats the model's name."""

    model_config = ConfigDict(strict=True, extra="ignore")


class InputParameters(OpenSchema):
    """How the client sends a tensor."""

    binary_data_size: Size | None = None
    shared_memory_region: SharedMemory | None = None


class Input(OpenSchema):
    """The one input tensor: as JSON, flat or nested, or as bytes after the JSON."""

    name: Literal["text"]
    datatype: Literal["BYTES"]
    shape: Annotated[list[Size], Field(min_length=1, max_length=8)]
    data: list[Any] | None = None
    parameters: Annotated[InputParameters, NULL_IS_UNSET] = InputParameters()


class OutputParameters(OpenSchema):
    """How to send a tensor; ``classification``: as so many strings ``score:index:label``, the highest scores first."""

    binary_data: bool | None = None
    classification: Annotated[int | None, Field(ge=1)] = None
    shared_memory_region: SharedMemory | None = None


class Output(OpenSchema):
    """A requested tensor."""

    name: Literal["label", "score"]
    parameters: Annotated[OutputParameters, NULL_IS_UNSET] = OutputParameters()


class Parameters(OpenSchema):
    """``binary_data_output``: the default of an output's ``binary_data``."""

    binary_data_output: Annotated[bool, NULL_IS_UNSET] = False


class InferenceRequest(OpenSchema):
    """Texts to classify; the response repeats ``id``."""

    id: ValidUnicode | None = None
    inputs: Annotated[list[Input], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[Output], NULL_IS_UNSET, Field(max_length=2)] = [Output(name="label"), Output(name="score")]
    parameters: Annotated[Parameters, NULL_IS_UNSET] = Parameters()

    def read_texts(self, packed: bytes, max_documents: int) -> list[Any]:
        """Read the texts from the JSON or from ``packed``, the bytes after it.

        Raise ``InvalidBody`` or ``RequestTooLarge``. Elements of JSON may be of any type.
        """
        (tensor,) = self.inputs
        count, size = min(math.prod(tensor.shape), MAX_SIZE), tensor.parameters.binary_data_size
        check_documents(count, max_documents)
        if (size or 0) != len(packed):
            raise InvalidBody(f"{len(packed)} bytes follow the JSON, and binary_data_size is {size}: make them agree")
        if (size is None) == (tensor.data is None):
            raise InvalidBody("inputs.0: send either data or, with binary_data_size, bytes after the JSON")
        if tensor.data is None:
            texts: list[Any] = [*_unpack_texts(packed, count)]
        else:
            texts = tensor.data
            for _ in tensor.shape[1:]:
                if texts and all(isinstance(element, list) for element in texts):
                    texts = list(chain.from_iterable(texts))
        if len(texts) != count:
            raise InvalidBody(
                f"inputs.0: {format_count(len(texts), 'text')} for shape {tensor.shape}: mend one or the other"
            )
        return texts

    def form_outputs(self, answers: TextAnswers) -> tuple[list[dict[str, Any]], bytes]:
        """Form the requested tensors; the bytes are those of the tensors that go after the JSON."""
        tensors: list[dict[str, Any]] = []
        packed: list[bytes] = []
        for output in self.outputs:
            tensor = _form_tensor(output, self.inputs[0].shape, answers.answers)
            binary = output.parameters.binary_data
            if self.parameters.binary_data_output if binary is None else binary:
                packed.append(_pack(tensor["datatype"], tensor.pop("data")))
                tensor["parameters"] = {"binary_data_size": len(packed[-1])}
            tensors.append(tensor)
        return tensors, b"".join(packed)


def _form_tensor(output: Output, shape: list[int], answers: list[Answer]) -> dict[str, Any]:
    """An output tensor in the shape of the input, with flat ``data``."""
    data: list[Any]
    if output.parameters.classification:
        ranked = [_rank_labels(answer, output.parameters.classification) for answer in answers]
        shape, data = [*shape, len(ranked[0]) if ranked else 0], list(chain.from_iterable(ranked))
    elif output.name == "score":
        data = [answer["score"] for answer in answers]
        return {"name": "score", "datatype": "FP32", "shape": shape, "data": data}
    else:
        data = [answer["label"] or "" for answer in answers]  # a tensor holds no null, the label of an abstention
    return {"name": output.name, "datatype": "BYTES", "shape": shape, "data": data}


def _rank_labels(answer: Answer, limit: int) -> list[str]:
    """``score:index:label`` of the highest scores; the index is the label's place in the alphabet of all labels."""
    index = {label: number for number, label in enumerate(sorted(score["label"] for score in answer["scores"]))}
    return [f"{score['score']}:{index[score['label']]}:{score['label']}" for score in answer["scores"][:limit]]


def _unpack_texts(packed: bytes, max_texts: int) -> list[str]:
    """Read texts, each after its length in bytes; raise ``InvalidBody`` for invalid bytes or too many texts."""
    texts: list[str] = []
    end = 0
    while end < len(packed):
        begin = end + LENGTH_BYTES
        if len(texts) == max_texts or begin > len(packed):
            raise InvalidBody(
                f"the tensor's bytes are not the {max_texts} texts of its shape: mend its shape or its bytes"
            )
        end = begin + int.from_bytes(packed[end:begin], "little")
        if end > len(packed):
            raise InvalidBody(f"text {len(texts) + 1} breaks off: write each text's length in bytes before it")
        try:
            texts.append(packed[begin:end].decode())
        except UnicodeDecodeError:
            raise InvalidBody(f"text {len(texts) + 1} is no UTF-8: send it in UTF-8") from None
    return texts


def _pack(datatype: str, data: list[Any]) -> bytes:
    """Write each number in four bytes, or each text in UTF-8 after its length in bytes."""
    if datatype == "FP32":
        return struct.pack(f"<{len(data)}f", *data)
    encoded = [text.encode() for text in data]
    return b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in encoded)
