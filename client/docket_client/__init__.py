"""Python clients of a Docket service: ``Client`` for threads, ``AsyncClient`` for asyncio."""

from docket_client.async_client import AsyncClient
from docket_client.errors import (
    DocketError,
    Overloaded,
    Refused,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unexpected,
)
from docket_client.payloads import Options
from docket_client.responses import Answer, Explanation, Health, Problem, Score, Unanswered, Word
from docket_client.sync_client import Client

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "DocketError",
    "Explanation",
    "Health",
    "Options",
    "Overloaded",
    "Problem",
    "Refused",
    "Score",
    "TimedOut",
    "TooLarge",
    "Unanswered",
    "Unauthorized",
    "Unavailable",
    "Unexpected",
    "Word",
    "__version__",
]
