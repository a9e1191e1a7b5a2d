"""The page docs/scale.md: the rates of a core, a machine and a cluster, and the next limit."""

from __future__ import annotations

import os
import platform
from typing import NamedTuple

DAY = 24 * 60 * 60
NODES = 2
"""Nodes of the measured cluster, with a core each."""


class Run(NamedTuple):
    """A run of a command: its ``seconds`` with start and loading, and the peak memory of its processes in ``bytes``."""

    seconds: float
    bytes: int


PAGE = """# Scale

Written by `make bench-offline`: {count:,} posts of 20 Newsgroups ({size:,.0f} bytes each) scored by
`docket predict --out` with the network of `docket train 20newsgroups`, on {cores} cores ({machine}). The mean load of
the last quarter of an hour was {load:.1f}. Seconds include the start of the command and loading the network in each
process. Memory is the peak of all its processes, with shared pages counted once.

| | duration | documents a second | a day | memory | answers |
| --- | --- | --- | --- | --- | --- |
{table}

A killed command loses little: `--out FILE` notes its progress about once a second. The same command continues from
there and ends with the same bytes. It checks the version, the options, and the fingerprint of the finished documents.

## Where the next limit is

- **A core** scores {core:,.0f} such posts a second, {core_day:,.0f} million a day. Splitting text into words and the
  network take nearly all of the time, in proportion to the length of a document.
- **A machine**: one process reads, cuts and fingerprints {read:,.0f} posts a second of JSON lines for all others. It
  can feed {feeds:.0f} cores. Beyond that, run several commands with a file each.
- **A cluster** (`--engine ray`): each core of the two nodes in the table scored {ray} a second, with Ray's processes
  and its start included. N cores score N times as many. One task reads a file: provide at least one file for every
  {feeds:.0f} cores. The next limit is the storage: {megabytes:.1f} MB a second for each core. Answers with all scores
  are about as large as posts; `--top-k 1` reduces them to a seventh.

```sh
docket predict artifacts/tickets s3://bucket/tickets/ --engine ray --out s3://bucket/answers.parquet
```

This reads `.jsonl` (`.gz`) and `.parquet`, one file or a folder, from a path that all machines have or a URI that Arrow
supports. It writes a folder of files whose names follow the order of the documents, and `_SUCCESS` when it is complete.
Install with `pip install '.[ray]'` in a checkout on every machine; the artifact is sent to the workers. There are as
many workers as GPUs in the cluster, or as cores without GPUs. A killed worker is replaced, and its block is scored
again. If the command itself is stopped, remove the folder and begin again: only `docket predict` on one machine
continues.
"""


def page(rows: list[tuple[str, Run, str]], count: int, size: float, read: float, cores: int) -> str:
    """Format the rows: title, run, and comparison of the answers. The first row is of one core.

    ``size``: bytes of a document; ``read``: documents a second that one process reads.
    """
    core = count / rows[0][1].seconds
    ray = next((count / run.seconds / NODES for name, run, _ in rows if name.startswith("Ray")), None)
    return PAGE.format(
        count=count,
        size=size,
        cores=cores,
        machine=platform.machine(),
        load=os.getloadavg()[2],
        table="\n".join(_line(name, run, count, comparison) for name, run, comparison in rows),
        core=core,
        core_day=core * DAY / 1e6,
        read=read,
        feeds=max(1, read // core),
        ray=f"{ray:,.0f}" if ray else "(not measured)",
        megabytes=core * size / 1e6,
    )


def _line(name: str, run: Run, count: int, comparison: str) -> str:
    rate, memory = count / run.seconds, f"{run.bytes / 1e6:,.0f} MB" if run.bytes else "-"
    return f"| {name} | {run.seconds:.1f} s | {rate:,.0f} | {rate * DAY / 1e6:,.0f} million | {memory} | {comparison} |"
