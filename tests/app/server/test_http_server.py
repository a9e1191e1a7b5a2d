"""What ``app/server`` uses of uvicorn's server, and that uvicorn still has it.

A name that fails here has changed in the installed uvicorn: adapt ``http_server.py`` and ``worker.py``, or narrow the
range in ``pyproject.toml``.
"""

import asyncio
import inspect
import socket

import pytest
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

NAMES = {
    "server": ("config", "lifespan", "server_state", "servers", "should_exit"),
    "server.config": ("backlog", "http_protocol_class", "ssl", "timeout_graceful_shutdown", "workers"),
    "server.lifespan": ("state",),
}
METHODS = {"startup": ["sockets"], "shutdown": ["sockets"], "on_tick": ["counter"], "run": ["sockets"]}


class RecordingServer(uvicorn.Server):
    """Records, while it serves, which of ``NAMES`` it lacks."""

    missing: list[str]
    ticks = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        objects = {"server": self, "server.config": self.config, "server.lifespan": self.lifespan}
        self.missing = [
            f"{place}.{name}" for place, names in NAMES.items() for name in names if not hasattr(objects[place], name)
        ]
        assert self.servers == [], "uvicorn listens although it got no sockets"

    async def on_tick(self, counter: int) -> bool:
        self.ticks += 1
        self.should_exit = True
        return await super().on_tick(counter)


async def application(scope: object, receive: object, send: object) -> None:
    raise NotImplementedError


def test_a_server_has_the_attributes_and_calls_the_methods() -> None:
    server = RecordingServer(uvicorn.Config(application, log_config=None, lifespan="off"))
    asyncio.run(server.serve())
    assert not server.missing, f"uvicorn {uvicorn.__version__} has no {', '.join(server.missing)} any more"
    assert server.ticks == 1, "uvicorn no longer calls on_tick, or should_exit no longer ends it"


@pytest.mark.parametrize(("name", "arguments"), METHODS.items(), ids=METHODS)
def test_a_server_has_the_method(name: str, arguments: list[str]) -> None:
    found = list(inspect.signature(getattr(uvicorn.Server, name)).parameters)[1:]
    assert found == arguments, f"{name} takes {found} in uvicorn {uvicorn.__version__}, and not {arguments}"


def test_a_connection_is_created_from_the_state_of_the_server() -> None:
    parameters = inspect.signature(HttpToolsProtocol).parameters
    assert {"config", "server_state", "app_state"} <= set(parameters)


def test_a_failed_start_ends_the_service_with_3() -> None:
    """The supervisor tells by this exit code that a worker could not start."""
    assert STARTUP_FAILURE == 3
