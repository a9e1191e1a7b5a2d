"""The failures of a request. ``app/api/problems.py`` alone maps them to HTTP."""

from __future__ import annotations

from model.command_output import MAX_QUOTED_CHARACTERS, escape_unprintable, format_count


def quote_input(text: str) -> str:
    """Text from a client as an error sentence quotes it: printable, and cut after 40 characters."""
    return escape_unprintable(text[:MAX_QUOTED_CHARACTERS]) + "…" * (len(text) > MAX_QUOTED_CHARACTERS)


class MalformedRequest(Exception):
    """The request is not HTTP, or a header has no meaning."""


class HeadTooLarge(Exception):
    """The head has more bytes than the server reads."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the request's head is larger than {max_bytes} bytes: send fewer or shorter headers")


class RequestTimeout(Exception):
    """The head or the body was not complete in time."""

    def __init__(self, part: str, seconds: float) -> None:
        super().__init__(f"the request's {part} was not whole within {seconds:g} s: send it faster, or less at once")


class TooManyConnections(Exception):
    """The process has as many connections as ``DOCKET_CONNECTIONS`` allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{format_count(limit, 'connection is', 'connections are')} open already: close one, and ask again"
        )


class BodyTooLarge(Exception):
    """The body has more bytes than ``DOCKET_MAX_BODY``."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the body is larger than {max_bytes} bytes: send less at once, or raise DOCKET_MAX_BODY")


class NotJson(Exception):
    """The body is of another content type, or compressed."""


class InvalidBody(Exception):
    """The body is not JSON, or not of the schema; ``errors`` lists each place and its sentence."""

    def __init__(self, sentence: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(sentence)
        self.errors = errors


class RequestTooLarge(Exception):
    """The request has too many documents, or a document too many characters or words."""


class InvalidKey(Exception):
    """The request has no API key, or an unknown one."""

    def __init__(self, shown: bool) -> None:
        send = "send one that its operator gave you, as Authorization: Bearer KEY or X-API-Key: KEY"
        super().__init__(f"the key is none of this service's: {send}" if shown else f"this asks for a key: {send}")


class AdminDisabled(Exception):
    """An operation for operators, in a service without API keys."""

    def __init__(self) -> None:
        super().__init__("a service without keys does this for nobody: name a file of them in DOCKET_API_KEYS_FILE")


class UnknownModel(Exception):
    """The service has no model, or no version, of this name."""


class NotReady(Exception):
    """The service cannot answer at present."""


class BodyMemoryFull(NotReady):
    """The bodies of other requests use the memory that the process has for bodies."""

    def __init__(self) -> None:
        super().__init__("too many large requests at once: send this one again in a second")
