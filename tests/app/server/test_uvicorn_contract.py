"""What ``app/server`` uses of uvicorn, and that uvicorn still has it.

A name that fails here has changed in the installed uvicorn: adapt ``http_protocol.py``, ``http_server.py`` or
``worker.py``, or narrow the range in ``pyproject.toml``.
"""

import ast
import asyncio
import inspect
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.server import http_protocol

ATTRIBUTES = {"connections", "parser", "flow", "pipeline", "cycle", "scope", "headers", "url"}
"""Attributes of a connection that are not methods. The last four exist once a request has begun."""
METHODS: dict[type, dict[str, list[str]]] = {
    HttpToolsProtocol: {
        "__init__": ["config", "server_state", "app_state", "_loop"],
        "on_message_begin": [],
        "on_headers_complete": [],
        "on_body": ["body"],
        "on_message_complete": [],
        "shutdown": [],
        "_unset_keepalive_if_required": [],
    },
    FlowControl: {"__init__": ["transport"], "resume_reading": []},
    uvicorn.Server: {"startup": ["sockets"], "shutdown": ["sockets"], "on_tick": ["counter"], "run": ["sockets"]},
}
"""Methods beside those of ``asyncio.Protocol``, and their arguments."""
CYCLE_ATTRIBUTE = "response_complete"
SERVER_ATTRIBUTES = ("config.backlog", "lifespan.state", "server_state", "servers", "should_exit")


def used_names() -> set[str]:
    """The attributes of ``self``, ``super()`` and the cycle that ``HttpProtocol`` reads and does not define."""
    tree = ast.parse(Path(http_protocol.__file__).read_text(encoding="utf-8"))
    protocol = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "HttpProtocol")
    nodes = [node for node in ast.walk(protocol) if isinstance(node, ast.Attribute)]
    defined = {node.attr for node in nodes if isinstance(node.ctx, ast.Store) and node.attr.startswith("_")}
    defined |= {node.name for node in protocol.body if isinstance(node, ast.FunctionDef) and node.name.startswith("_")}
    receivers = ("self", "super()", "self.cycle")
    return {node.attr for node in nodes if ast.unparse(node.value) in receivers} - defined - {"__init__"}


@pytest.fixture
def protocol() -> Iterator[HttpToolsProtocol]:
    """A connection of stock uvicorn on which a request has begun."""
    loop = asyncio.new_event_loop()
    config = uvicorn.Config(lambda: None, log_config=None)
    protocol = HttpToolsProtocol(config, ServerState(), {"settings": "a value"}, loop)
    protocol.on_message_begin()
    yield protocol
    loop.close()


def test_the_contract_names_each_attribute_that_the_connection_uses() -> None:
    named = {*ATTRIBUTES, *METHODS[HttpToolsProtocol], CYCLE_ATTRIBUTE}
    assert used_names() - {name for name in dir(asyncio.Protocol) if not name.startswith("_")} <= named


def test_a_connection_has_the_attributes(protocol: HttpToolsProtocol) -> None:
    missing = [name for name in ATTRIBUTES if not hasattr(protocol, name)]
    assert not missing, f"a connection of uvicorn {uvicorn.__version__} has no {missing} any more"
    assert len(protocol.pipeline) == 0
    assert protocol.scope["state"] == protocol.app_state, "uvicorn no longer copies the state into a request's scope"
    assert protocol.scope["headers"] is protocol.headers, "uvicorn no longer collects headers in the scope's list"
    names = RequestResponseCycle.__init__.__code__.co_names
    assert CYCLE_ATTRIBUTE in names, f"a request of uvicorn {uvicorn.__version__} has no {CYCLE_ATTRIBUTE} any more"


@pytest.mark.parametrize("class_", METHODS)
def test_a_class_has_the_methods_with_their_arguments(class_: type) -> None:
    for name, arguments in METHODS[class_].items():
        method: Any = getattr(class_, name, None)
        assert method is not None, f"{class_.__name__} has no {name} in uvicorn {uvicorn.__version__} any more"
        found = list(inspect.signature(method).parameters)[1:]
        assert found == arguments, f"{name} takes {found} in uvicorn {uvicorn.__version__}, and not {arguments}"


class RecordingServer(uvicorn.Server):
    """Records, while it serves, which of ``SERVER_ATTRIBUTES`` it lacks."""

    missing: list[str]
    ticks = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        objects = {"": self, "config": self.config, "lifespan": self.lifespan}
        names = [name.rpartition(".") for name in SERVER_ATTRIBUTES]
        self.missing = [name for place, _, name in names if not hasattr(objects[place], name)]
        assert self.servers == [], "uvicorn listens although it got no sockets"

    async def on_tick(self, counter: int) -> bool:
        self.ticks += 1
        self.should_exit = True
        return await super().on_tick(counter)


def test_a_server_has_the_attributes_and_calls_the_methods() -> None:
    server = RecordingServer(uvicorn.Config(lambda: None, log_config=None, lifespan="off"))
    asyncio.run(server.serve())
    assert not server.missing, f"uvicorn {uvicorn.__version__} has no {server.missing} any more"
    assert server.ticks == 1, "uvicorn no longer calls on_tick, or should_exit no longer ends it"


def test_a_failed_start_exits_with_3() -> None:
    """The supervisor recognizes a worker that could not start by this exit code."""
    assert STARTUP_FAILURE == 3
