"""``docket predict`` on a Ray cluster of two nodes with a core each on this machine; run in the environment of Ray.

``python -m benchmarks.ray_nodes ARTIFACT DOCUMENTS OUT`` prints the duration of the command in seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from ray.cluster_utils import Cluster

HEAD = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.2"}

if __name__ == "__main__":
    artifact, documents, out = sys.argv[1:]
    nodes = Cluster(initialize_head=True, head_node_args=HEAD)
    nodes.add_node(num_cpus=1, node_ip_address="127.0.0.3")
    command = [sys.executable, "-m", "docket", "predict", artifact, documents, "--engine", "ray", "--out", out]
    begin = time.perf_counter()
    subprocess.run(command, env=os.environ | {"RAY_ADDRESS": nodes.address}, check=True)
    print(time.perf_counter() - begin)
    nodes.shutdown()
