"""One server in each file, all with the same ``Classifier``: ``python -m benchmarks.servers.NAME ARTIFACT PORT``.

The second paragraph of a docstring is the configuration in the table. ``NAME.txt`` locks the environment of the server.
"""
