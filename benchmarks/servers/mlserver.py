"""MLServer.

Two parallel workers, adaptive batches of at most 32, with a wait of up to 1 ms; uvloop and httptools, no metrics,
no access log. Documents come and go in the V2 protocol, as BYTES.
"""

from __future__ import annotations

import asyncio
import os
import sys

from mlserver import MLModel, MLServer, ModelSettings, Settings, types
from mlserver.codecs import StringCodec
from mlserver.utils import install_uvloop_event_loop

from model.classifier import Classifier
from tests.support.ports import free_port


class Docket(MLModel):
    """A request of many texts → a response of as many labels and scores, in each worker."""

    async def load(self) -> bool:
        """Load the classifier of a worker."""
        self.classifier = Classifier.load(os.environ["ARTIFACT"], "cpu", threads=1)
        return True

    async def predict(self, payload: types.InferenceRequest) -> types.InferenceResponse:
        """One label and one score for each text."""
        texts = StringCodec.decode_input(payload.inputs[0])
        predictions = self.classifier.predict([self.classifier.encode(text) for text in texts])
        labels = StringCodec.encode_output("label", [prediction.label for prediction in predictions], use_bytes=False)
        scores = types.ResponseOutput(
            name="score",
            datatype="FP64",
            shape=[len(predictions), 1],
            data=types.TensorData([prediction.score for prediction in predictions]),
            parameters=types.Parameters(),
        )
        return types.InferenceResponse(model_name=self.name, outputs=[labels, scores])


async def serve(artifact: str, port: int) -> None:
    """Start the server with the one model."""
    os.environ["ARTIFACT"] = artifact
    listen = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_endpoint": None}
    model = ModelSettings(name="docket", implementation=Docket, max_batch_size=32, max_batch_time=0.001)
    await MLServer(Settings(**listen, parallel_workers=2, debug=False)).start([model])


if __name__ == "__main__":
    install_uvloop_event_loop()
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
