"""Calls of foreign clients to the service; run in the environment of ``clients.txt``.

``python protocol_clients.py CLIENT URL`` prints a line of JSON for each call: its name and its result.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

TEXTS = ["the late goal", "a vote for the law", "d\u00e9j\u00e0 vu \u6bd4\u8d5b"]
# More than a network with a limit would read; its end changes its scores.
LONG = "the late goal won " * 5_000 + "a vote for the minister " * 5_000
Call = tuple[str, Any]


def tritonclient(url: str) -> Iterator[Call]:
    """Texts and labels are bytes by default."""
    import numpy
    from tritonclient import http

    def tensor(texts: list[str], binary: bool = True) -> http.InferInput:
        tensor = http.InferInput("text", [len(texts)], "BYTES")
        return tensor.set_data_from_numpy(numpy.array(texts, dtype=object), binary_data=binary)

    def read_scores(result: http.InferResult) -> list[list[Any]]:
        label, score = result.as_numpy("label").tolist(), result.as_numpy("score").tolist()
        return [[name.decode() if isinstance(name, bytes) else name for name in label], score]

    with http.InferenceServerClient(url.removeprefix("http://")) as client:
        yield "is_server_live", client.is_server_live()
        yield "is_server_ready", client.is_server_ready()
        yield "is_model_ready", [client.is_model_ready("docket"), client.is_model_ready("other")]
        yield "get_server_metadata", client.get_server_metadata()["extensions"]
        metadata = client.get_model_metadata("docket")
        yield "get_model_metadata", [metadata["inputs"][0]["name"], *(output["name"] for output in metadata["outputs"])]
        yield "infer", read_scores(client.infer("docket", [tensor(TEXTS)]))
        yield (
            "infer (JSON)",
            read_scores(
                client.infer(
                    "docket",
                    [tensor(TEXTS, binary=False)],
                    outputs=[http.InferRequestedOutput(name, binary_data=False) for name in ("label", "score")],
                )
            ),
        )
        yield "infer (long)", read_scores(client.infer("docket", [tensor([LONG])]))
        (version,) = metadata["versions"]
        result = client.infer("docket", [tensor(TEXTS)], model_version=version, request_id="42")
        yield "infer (version, id)", [result.get_response()["model_version"] == version, result.get_response()["id"]]
        ranked = http.InferRequestedOutput("score", class_count=2)
        ranked_scores = client.infer("docket", [tensor(TEXTS)], outputs=[ranked]).as_numpy("score").tolist()
        yield "infer (class_count)", [[entry.decode().split(":")[2] for entry in row] for row in ranked_scores]
        yield "async_infer", read_scores(client.async_infer("docket", [tensor(TEXTS)]).get_result())
        failed = [
            lambda: client.infer("other", [tensor(TEXTS)]),
            lambda: client.infer("docket", [tensor([" "])]),
            lambda: client.infer("docket", [tensor(TEXTS)], request_compression_algorithm="gzip"),
        ]
        yield "infer (failures)", [failure(call, http.InferenceServerException) for call in failed]


def kserve(url: str) -> Iterator[Call]:
    """The client needs one event loop for all calls."""
    yield from asyncio.run(_kserve(url))


async def _kserve(url: str) -> list[Call]:
    import httpx
    import numpy
    from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig

    def request(texts: list[str], binary: bool = False) -> InferRequest:
        tensor = InferInput("text", [len(texts)], "BYTES")
        tensor.set_data_from_numpy(numpy.array(texts, dtype=object), binary_data=binary)
        return InferRequest("docket", [tensor], request_id="42", parameters={"binary_data_output": binary})

    def read_scores(response: InferResponse) -> list[list[Any]]:
        return [output.as_numpy().tolist() for output in response.outputs]

    calls: list[Call] = []
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        calls.append(("is_server_live", await client.is_server_live(url)))
        calls.append(("is_server_ready", await client.is_server_ready(url)))
        ready = [await client.is_model_ready(url, name) for name in ("docket", "other")]
        calls.append(("is_model_ready", ready))
        plain = await client.infer(url, request(TEXTS), model_name="docket")
        calls.append(("infer", read_scores(plain)))
        calls.append(("infer (id)", [plain.id, plain.model_name]))
        label, score = read_scores(await client.infer(url, request(TEXTS, binary=True), model_name="docket"))
        calls.append(("infer (bytes)", [[name.decode() if isinstance(name, bytes) else name for name in label], score]))
        calls.append(("infer (long)", read_scores(await client.infer(url, request([LONG]), model_name="docket"))))
        failures = []
        for texts, model in ((TEXTS, "other"), ([" "], "docket")):
            try:
                await client.infer(url, request(texts), model_name=model)
            except httpx.HTTPStatusError as error:
                failures.append(str(error))
        calls.append(("infer (failures)", failures))
    return calls


def huggingface_hub(url: str) -> Iterator[Call]:
    """The model is an address."""
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError

    client = InferenceClient(model=f"{url}/hf")

    def read_scores(**options: Any) -> list[Any]:
        return [[score.label, score.score] for score in client.text_classification(**options)]

    yield "text_classification", [read_scores(text=text) for text in TEXTS]
    yield "text_classification (long)", [read_scores(text=LONG)]
    yield "text_classification (top_k)", read_scores(text=TEXTS[0], top_k=1, function_to_apply="softmax")
    yield (
        "text_classification (failures)",
        [
            failure(lambda: read_scores(text=TEXTS[0], function_to_apply="sigmoid"), HfHubHTTPError),
            failure(lambda: read_scores(text=" "), HfHubHTTPError),
        ],
    )


def baseten_performance_client(url: str) -> Iterator[Call]:
    """It sends batches to the interface of text-embeddings-inference."""
    from baseten_performance_client import PerformanceClient
    from requests import HTTPError

    client = PerformanceClient(f"{url}/tei", api_key="none")

    def read_scores(texts: list[str], **options: Any) -> list[Any]:
        return [[[score.label, score.score] for score in scores] for scores in client.classify(texts, **options).data]

    async def classify() -> Any:
        return await client.async_classify(TEXTS)

    yield "classify", read_scores(TEXTS)
    yield "classify (long)", read_scores([LONG], truncate=True)
    yield "async_classify", [len(scores) for scores in asyncio.run(classify()).data]
    yield (
        "classify (failures)",
        [
            failure(lambda: read_scores(TEXTS, raw_scores=True), HTTPError),
            failure(lambda: read_scores([" "]), HTTPError),
        ],
    )


def failure(call: Callable[[], object], kind: type[Exception]) -> str:
    """Return the error that the client raises."""
    try:
        call()
    except kind as error:
        return f"{getattr(error, 'status', str)() or ''} {error}"
    return "no failure"


CLIENTS = {client.__name__: client for client in (tritonclient, kserve, huggingface_hub, baseten_performance_client)}

if __name__ == "__main__":
    for name, result in CLIENTS[sys.argv[1]](sys.argv[2]):
        print(json.dumps([name, result]))
