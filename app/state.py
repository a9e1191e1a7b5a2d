"""What the application's lifespan makes and every request finds in ``scope["state"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.api.problems import ProblemFormats
    from app.inference.service import Service
    from app.middleware.key_file import KeyFile
    from app.observability.tracing import Tracing
    from app.settings import Settings


class State(TypedDict):
    """``keys`` and ``tracing`` are None where the settings name none.

    ``request_reload`` has all workers look for a new version.
    """

    service: Service
    settings: Settings
    keys: KeyFile | None
    request_reload: Callable[[], None]
    problem_formats: ProblemFormats
    tracing: Tracing | None
