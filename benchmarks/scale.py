"""The page that says how many documents a day a core, a machine and a cluster score, and where the next limit is."""

from __future__ import annotations

import os
import platform
from typing import NamedTuple

DAY = 24 * 60 * 60
NODES = 2
"""Of the cluster that is measured; each has a core."""


class Run(NamedTuple):
    """One command: its ``seconds``, start and loading included, and the most ``bytes`` that its processes held."""

    seconds: float
    bytes: int


PAGE = """# Scale

Written by `make bench-offline`: {count:,} posts of 20 Newsgroups ({size:,.0f} bytes each) scored by
`docket predict --out` with the network of `docket train 20newsgroups`, on {cores} cores ({machine}; mean load of the
last quarter of an hour: {load:.1f}). Seconds are of the whole command: its start, and loading the network in each
process, too. Memory is the most that all its processes held at once, shared pages once.

| | whole command | documents a second | a day | memory | answers |
| --- | --- | --- | --- | --- | --- |
{table}

A command that is killed loses little: `--out FILE` notes about once a second how far it is, and the same command goes
on from there and ends with the same bytes. What it goes on from is checked: the version, the options, and the
fingerprint of the documents that are done already.

## Where the next limit is

- **A core** scores {core:,.0f} such posts a second, {core_day:,.0f} million a day. Splitting text into words and the
  network take nearly all of it; a shorter document takes less in proportion.
- **A machine**: one process reads, cuts and fingerprints for all the others, {read:,.0f} posts a second of JSON lines.
  It can keep {feeds:.0f} cores busy; beyond, give several commands a file each.
- **A cluster** (`--engine ray`): each core of the table's two nodes did {ray} a second, which bears Ray's own processes
  and its start too; N cores do N times that. Files are read side by side, but each by one task: have a file for every
  {feeds:.0f} cores at least. Then the storage is next: {megabytes:.1f} MB a second for each core.
  Answers with all their scores are about as large as posts; `--top-k 1` leaves a seventh of them.

```sh
docket predict artifacts/tickets s3://bucket/tickets/ --engine ray --out s3://bucket/answers.parquet
```

takes `.jsonl` (`.gz`) and `.parquet`, one file or a folder, from any path that all machines have or any URI that Arrow
knows, and writes a folder of files whose names are in the order of the documents, with `_SUCCESS` in it once it is
whole. `pip install '.[ray]'` in a checkout on every machine; the artifact is sent along. Workers are as many as the
cluster has GPUs, else cores; one that is killed is replaced, and what it had is scored again. If the command itself is
stopped, remove the folder and begin anew: only one machine's `docket predict` goes on where it was.
"""


def page(rows: list[tuple[str, Run, str]], count: int, size: float, read: float, cores: int) -> str:
    """Each row: what was run, what it took, and how its answers compare. The first is of one core.

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
        table="\n".join(_line(name, run, count, said) for name, run, said in rows),
        core=core,
        core_day=core * DAY / 1e6,
        read=read,
        feeds=max(1, read // core),
        ray=f"{ray:,.0f}" if ray else "(not measured)",
        megabytes=core * size / 1e6,
    )


def _line(name: str, run: Run, count: int, said: str) -> str:
    rate, memory = count / run.seconds, f"{run.bytes / 1e6:,.0f} MB" if run.bytes else "-"
    return f"| {name} | {run.seconds:.1f} s | {rate:,.0f} | {rate * DAY / 1e6:,.0f} million | {memory} | {said} |"
