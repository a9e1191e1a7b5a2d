"""Ray Serve.

Two replicas with a core each behind HAProxy, `RAY_SERVE_THROUGHPUT_OPTIMIZED`. `serve.batch` of at most 32 without a
wait; 64 concurrent requests a replica; no dashboard, no usage statistics.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

OPTIONS = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "2",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
FILES = {"CONFIG_FILE_LOC": "cfg", "SOCKET_PATH": "s", "METRICS_SOCKET_PATH": "m", "SERVER_STATE_FILE": "state"}
FILES |= {"SERVER_STATE_BASE": ""}  # a socket's path has at most 108 characters
PLACES = {f"RAY_SERVE_HAPROXY_{name}": f"{tempfile.gettempdir()}/h/{file}" for name, file in FILES.items()}
os.environ |= OPTIONS | PLACES  # Ray reads them when it is imported

import ray  # noqa: E402  # after the options
from ray import serve  # noqa: E402  # after the options

if TYPE_CHECKING:
    from starlette.requests import Request

    from model.prediction import Prediction


class Docket:
    """Requests one by one, texts in batches."""

    def __init__(self, artifact: str) -> None:
        from model.classifier import Classifier

        self.classifier = Classifier.load(artifact, "cpu", threads=1)

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0)
    async def predict(self, texts: list[str]) -> list[Prediction]:
        """One prediction for each text."""
        return self.classifier.predict([self.classifier.encode(text) for text in texts])

    async def __call__(self, request: Request) -> dict[str, Any]:
        """The answer to one request."""
        prediction = await self.predict((await request.json())["text"])
        return {"label": prediction.label, "score": prediction.score}


if __name__ == "__main__":
    address = "127.0.0.2"  # Ray would replace 127.0.0.1 by the public address
    folder = f"{tempfile.gettempdir()}/ray"
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address=address, _temp_dir=folder)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    deployed = serve.deployment(Docket, num_replicas=2, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=64)
    serve.run(deployed.bind(sys.argv[1]), route_prefix="/predict", blocking=True)
