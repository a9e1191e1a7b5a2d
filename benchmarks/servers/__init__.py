"""One server a file, each around the same ``Classifier``: ``python -m benchmarks.servers.NAME ARTIFACT PORT``.

What a file's docstring says after its first paragraph is how it is configured; the table shows it. ``NAME.txt`` beside
it locks the environment that it runs in.
"""
