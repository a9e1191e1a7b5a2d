"""What a request and an answer of the Open Inference Protocol hold: texts in, labels and scores out."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.errors import InvalidBody
from app.parsing.limits import check_documents
from app.parsing.schemas import NULL_IS_UNSET, ValidUnicode
from app.protocols import tensor_bytes
from model.terminal import format_count

if TYPE_CHECKING:
    from app.api.responses import Answer
    from app.protocols.common_answers import Answered


def _none(region: str) -> str:
    raise ValueError("no memory is shared: send the tensor in the body")


MAX_SIZE = 10**20
"""More than any body has, and short enough for a sentence: Python writes no number of more than 4,300 digits."""
Size = Annotated[int, Field(ge=0, le=MAX_SIZE)]


class OpenSchema(BaseModel):
    """The protocol leaves open what else may stand in its objects: KServe's client repeats the model's name."""

    model_config = ConfigDict(strict=True, extra="ignore")


class InputParameters(OpenSchema):
    """How a tensor comes."""

    binary_data_size: Size | None = None
    shared_memory_region: Annotated[str, AfterValidator(_none)] | None = None


class Input(OpenSchema):
    """The one tensor that comes in: as JSON, flat or nested, or as bytes after the JSON."""

    name: Literal["text"]
    datatype: Literal["BYTES"]
    shape: Annotated[list[Size], Field(min_length=1, max_length=8)]
    data: list[Any] | None = None
    parameters: Annotated[InputParameters, NULL_IS_UNSET] = InputParameters()


class OutputParameters(OpenSchema):
    """How a tensor goes; ``classification``: as so many strings ``score:index:label``, the highest scores first."""

    binary_data: bool | None = None
    classification: Annotated[int | None, Field(ge=1)] = None
    shared_memory_region: Annotated[str, AfterValidator(_none)] | None = None


class Output(OpenSchema):
    """A tensor that is asked for."""

    name: Literal["label", "score"]
    parameters: Annotated[OutputParameters, NULL_IS_UNSET] = OutputParameters()


class Parameters(OpenSchema):
    """``binary_data_output``: whether outputs that do not say go as bytes."""

    binary_data_output: Annotated[bool, NULL_IS_UNSET] = False


class Inference(OpenSchema):
    """Texts to label; ``id`` comes back."""

    id: ValidUnicode | None = None
    inputs: Annotated[list[Input], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[Output], NULL_IS_UNSET, Field(max_length=2)] = [Output(name="label"), Output(name="score")]
    parameters: Annotated[Parameters, NULL_IS_UNSET] = Parameters()

    def texts(self, packed: bytes, max_documents: int) -> list[Any]:
        """What should be texts; ``packed``: the bytes after the JSON. Raise ``InvalidBody`` or ``TooMuch``."""
        (tensor,) = self.inputs
        count, size = min(math.prod(tensor.shape), MAX_SIZE), tensor.parameters.binary_data_size
        check_documents(count, max_documents)
        if (size or 0) != len(packed):
            raise InvalidBody(f"{len(packed)} bytes follow the JSON, and binary_data_size is {size}: make them agree")
        if (size is None) == (tensor.data is None):
            raise InvalidBody("inputs.0: send either data or, with binary_data_size, bytes after the JSON")
        found = tensor_bytes.texts(packed, count) if tensor.data is None else _flat(tensor.data, tensor.shape)
        if len(found) != count:
            raise InvalidBody(
                f"inputs.0: {format_count(len(found), 'text')} for shape {tensor.shape}: mend one or the other"
            )
        return found

    def outputs_of(self, answered: Answered) -> tuple[list[dict[str, Any]], bytes]:
        """The tensors that are asked for, and the bytes of those that are asked for as bytes."""
        told: list[dict[str, Any]] = []
        packed: list[bytes] = []
        for output in self.outputs:
            tensor = _tensor(output, self.inputs[0].shape, answered.answers)
            asked = output.parameters.binary_data
            if self.parameters.binary_data_output if asked is None else asked:
                data = tensor.pop("data")
                packed.append(
                    tensor_bytes.pack_texts(data) if tensor["datatype"] == "BYTES" else tensor_bytes.pack_numbers(data)
                )
                tensor["parameters"] = {"binary_data_size": len(packed[-1])}
            told.append(tensor)
        return told, b"".join(packed)


def _flat(data: list[Any], shape: list[int]) -> list[Any]:
    for _ in shape[1:]:
        if data and all(isinstance(each, list) for each in data):
            data = list(chain.from_iterable(data))
    return data


def _tensor(output: Output, shape: list[int], answers: list[Answer]) -> dict[str, Any]:
    """An output in the shape of the input; its ``data`` is flat."""
    if output.parameters.classification:
        ranked = [_ranked(answer, output.parameters.classification) for answer in answers]
        shape = [*shape, len(ranked[0]) if ranked else 0]
        return {"name": output.name, "datatype": "BYTES", "shape": shape, "data": list(chain.from_iterable(ranked))}
    if output.name == "score":
        return {"name": "score", "datatype": "FP32", "shape": shape, "data": [answer["score"] for answer in answers]}
    labels = [answer["label"] or "" for answer in answers]  # the service may abstain, and a tensor holds no null
    return {"name": "label", "datatype": "BYTES", "shape": shape, "data": labels}


def _ranked(answer: Answer, most: int) -> list[str]:
    """``score:index:label``; the index is the label's place in the alphabet of all labels."""
    place = {label: index for index, label in enumerate(sorted(each["label"] for each in answer["scores"]))}
    return [f"{each['score']}:{place[each['label']]}:{each['label']}" for each in answer["scores"][:most]]
