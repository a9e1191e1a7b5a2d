"""A Ray cluster of two nodes with a core each on this machine, and ``docket predict`` on it; run where Ray is.

    python -m benchmarks.nodes ARTIFACT DOCUMENTS OUT [--kill]

Prints the duration of the command in seconds. ``--kill`` kills one worker during the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import ray
from ray.cluster_utils import Cluster

HEAD = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.2"}
WAIT = 4.0
"""Seconds from the readiness of both workers to the kill of one."""


def main() -> None:
    artifact, documents, out, *kill = sys.argv[1:]
    nodes = Cluster(initialize_head=True, head_node_args=HEAD)
    nodes.add_node(num_cpus=1, node_ip_address="127.0.0.3")
    ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
    command = [sys.executable, "-m", "docket", "predict", artifact, documents, "--engine", "ray", "--out", out]
    begin = time.perf_counter()
    with subprocess.Popen(command, env=os.environ | {"RAY_ADDRESS": nodes.address}) as process:
        if kill:
            while len(workers()) < 2 and process.poll() is None:
                time.sleep(0.1)
            time.sleep(WAIT)
            os.kill(workers()[0], signal.SIGKILL)
    seconds = time.perf_counter() - begin
    ray.shutdown()
    nodes.shutdown()
    if process.returncode:
        sys.exit(process.returncode)
    print(seconds)


def workers() -> list[int]:
    """The process ids of the actors that score, as Ray reports them."""
    actors = ray._private.state.actors().values()
    return [actor["Pid"] for actor in actors if actor["State"] == "ALIVE" and "Worker" in actor["ActorClassName"]]


if __name__ == "__main__":
    main()
