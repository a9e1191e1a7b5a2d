"""What clients that others wrote get from the service; run in the environment of ``clients.txt``.

``python calls.py CLIENT URL`` prints a line of JSON for each call: its name and what came of it.
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
    """Texts and labels go as bytes, unless the caller says otherwise."""
    import numpy
    from tritonclient import http

    def tensor(texts: list[str], binary: bool = True) -> http.InferInput:
        made = http.InferInput("text", [len(texts)], "BYTES")
        return made.set_data_from_numpy(numpy.array(texts, dtype=object), binary_data=binary)

    def said(result: http.InferResult) -> list[list[Any]]:
        label, score = result.as_numpy("label").tolist(), result.as_numpy("score").tolist()
        return [[each.decode() if isinstance(each, bytes) else each for each in label], score]

    with http.InferenceServerClient(url.removeprefix("http://")) as client:
        yield "is_server_live", client.is_server_live()
        yield "is_server_ready", client.is_server_ready()
        yield "is_model_ready", [client.is_model_ready("docket"), client.is_model_ready("other")]
        yield "get_server_metadata", client.get_server_metadata()["extensions"]
        told = client.get_model_metadata("docket")
        yield "get_model_metadata", [told["inputs"][0]["name"], *(each["name"] for each in told["outputs"])]
        yield "infer", said(client.infer("docket", [tensor(TEXTS)]))
        yield (
            "infer (JSON)",
            said(
                client.infer(
                    "docket",
                    [tensor(TEXTS, binary=False)],
                    outputs=[http.InferRequestedOutput(name, binary_data=False) for name in ("label", "score")],
                )
            ),
        )
        yield "infer (long)", said(client.infer("docket", [tensor([LONG])]))
        (version,) = told["versions"]
        result = client.infer("docket", [tensor(TEXTS)], model_version=version, request_id="42")
        yield "infer (version, id)", [result.get_response()["model_version"] == version, result.get_response()["id"]]
        ranked = http.InferRequestedOutput("score", class_count=2)
        given = client.infer("docket", [tensor(TEXTS)], outputs=[ranked]).as_numpy("score").tolist()
        yield "infer (class_count)", [[each.decode().split(":")[2] for each in row] for row in given]
        yield "async_infer", said(client.async_infer("docket", [tensor(TEXTS)]).get_result())
        yield (
            "infer (failures)",
            [
                failure(lambda: client.infer("other", [tensor(TEXTS)]), http.InferenceServerException),
                failure(lambda: client.infer("docket", [tensor([" "])]), http.InferenceServerException),
                failure(
                    lambda: client.infer("docket", [tensor(TEXTS)], request_compression_algorithm="gzip"),
                    http.InferenceServerException,
                ),
            ],
        )


def kserve(url: str) -> Iterator[Call]:
    """The calls are made in one event loop, as their client asks."""
    yield from asyncio.run(_kserve(url))


async def _kserve(url: str) -> list[Call]:
    import httpx
    import numpy
    from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig

    def request(texts: list[str], binary: bool = False) -> InferRequest:
        tensor = InferInput("text", [len(texts)], "BYTES")
        tensor.set_data_from_numpy(numpy.array(texts, dtype=object), binary_data=binary)
        return InferRequest("docket", [tensor], request_id="42", parameters={"binary_data_output": binary})

    def said(response: InferResponse) -> list[list[Any]]:
        return [output.as_numpy().tolist() for output in response.outputs]

    made: list[Call] = []
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        made.append(("is_server_live", await client.is_server_live(url)))
        made.append(("is_server_ready", await client.is_server_ready(url)))
        ready = [await client.is_model_ready(url, name) for name in ("docket", "other")]
        made.append(("is_model_ready", ready))
        plain = await client.infer(url, request(TEXTS), model_name="docket")
        made.append(("infer", said(plain)))
        made.append(("infer (id)", [plain.id, plain.model_name]))
        label, score = said(await client.infer(url, request(TEXTS, binary=True), model_name="docket"))
        made.append(("infer (bytes)", [[each.decode() if isinstance(each, bytes) else each for each in label], score]))
        made.append(("infer (long)", said(await client.infer(url, request([LONG]), model_name="docket"))))
        failures = []
        for texts, model in ((TEXTS, "other"), ([" "], "docket")):
            try:
                await client.infer(url, request(texts), model_name=model)
            except httpx.HTTPStatusError as error:
                failures.append(str(error))
        made.append(("infer (failures)", failures))
    return made


def huggingface_hub(url: str) -> Iterator[Call]:
    """Its model is an address."""
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError

    client = InferenceClient(model=f"{url}/hf")

    def said(**asked: Any) -> list[Any]:
        return [[each.label, each.score] for each in client.text_classification(**asked)]

    yield "text_classification", [said(text=text) for text in TEXTS]
    yield "text_classification (long)", [said(text=LONG)]
    yield "text_classification (top_k)", said(text=TEXTS[0], top_k=1, function_to_apply="softmax")
    yield (
        "text_classification (failures)",
        [
            failure(lambda: said(text=TEXTS[0], function_to_apply="sigmoid"), HfHubHTTPError),
            failure(lambda: said(text=" "), HfHubHTTPError),
        ],
    )


def baseten_performance_client(url: str) -> Iterator[Call]:
    """It sends batches as text-embeddings-inference takes them."""
    from baseten_performance_client import PerformanceClient
    from requests import HTTPError

    client = PerformanceClient(f"{url}/tei", api_key="none")

    def said(texts: list[str], **asked: Any) -> list[Any]:
        return [[[each.label, each.score] for each in own] for own in client.classify(texts, **asked).data]

    yield "classify", said(TEXTS)
    yield "classify (long)", said([LONG], truncate=True)
    yield "async_classify", [len(each) for each in asyncio.run(_gather(client)).data]
    yield (
        "classify (failures)",
        [failure(lambda: said(TEXTS, raw_scores=True), HTTPError), failure(lambda: said([" "]), HTTPError)],
    )


async def _gather(client: Any) -> Any:
    return await client.async_classify(TEXTS)


def failure(call: Callable[[], object], kind: type[Exception]) -> str:
    """What the client raises, in its own words."""
    try:
        call()
    except kind as error:
        return f"{getattr(error, 'status', str)() or ''} {error}"
    return "no failure"


CLIENTS = {each.__name__: each for each in (tritonclient, kserve, huggingface_hub, baseten_performance_client)}

if __name__ == "__main__":
    for name, came in CLIENTS[sys.argv[1]](sys.argv[2]):
        print(json.dumps([name, came]))
