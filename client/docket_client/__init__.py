"""A Docket service asked from Python: ``Client`` for threads, ``AsyncClient`` for asyncio."""

from docket_client.answers import Answer, Explanation, Health, Problem, Score, Unanswered, Word
from docket_client.asynchronous import AsyncClient
from docket_client.blocking import Client
from docket_client.failures import (
    DocketError,
    Overloaded,
    Refused,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unexpected,
)
from docket_client.questions import Options

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
