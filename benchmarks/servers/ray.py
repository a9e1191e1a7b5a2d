"""Ray Serve.

Two replicas with a core each behind its HAProxy, `RAY_SERVE_THROUGHPUT_OPTIMIZED`; `serve.batch` of at most 32, of what
waits (`batch_wait_timeout_s` 0); 64 requests at once a replica; no dashboard, no usage statistics.
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
FILES |= {"SERVER_STATE_BASE": ""}  # short: it puts a long name between, and a socket's path has 108 characters at most
PLACES = {f"RAY_SERVE_HAPROXY_{name}": f"{tempfile.gettempdir()}/h/{file}" for name, file in FILES.items()}
os.environ |= OPTIONS | PLACES  # it reads them when it is imported

import ray  # noqa: E402  # after its options are set
from ray import serve  # noqa: E402  # likewise

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
    here = "127.0.0.2"  # it takes 127.0.0.1 for "the address that others see", and its processes would talk over that
    folder = f"{tempfile.gettempdir()}/ray"
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address=here, _temp_dir=folder)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    deployed = serve.deployment(Docket, num_replicas=2, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=64)
    serve.run(deployed.bind(sys.argv[1]), route_prefix="/predict", blocking=True)
