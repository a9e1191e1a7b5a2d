"""What ``app/server/http_protocol.py`` uses of uvicorn, and that uvicorn still has it.

A name that fails here has changed in the installed uvicorn: adapt the file, or narrow the range in ``pyproject.toml``.
"""

import ast
import asyncio
import inspect
from pathlib import Path

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.server import http_protocol

ATTRIBUTES = (
    *("transport", "app_state", "connections", "parser", "flow", "pipeline"),
    *("cycle", "scope", "headers", "url"),
)
"""Attributes of a connection that are not methods. The last four exist once a request has begun."""
METHODS = {
    "on_message_begin": [],
    "on_headers_complete": [],
    "on_body": ["body"],
    "on_message_complete": [],
    "shutdown": [],
    "_unset_keepalive_if_required": [],
}
"""Methods of a connection beside those of ``asyncio.Protocol``, and their arguments."""
CLASSES = {"HttpToolsProtocol", "FlowControl"}
OTHER_OBJECTS = {"response_complete", "resume_reading"}
"""Of the cycle, and of the flow control."""
MAX_NAMES = 20


def used_names() -> set[str]:
    """The attributes of ``self``, of ``super()`` and of the cycle that the file reads and does not define."""
    tree = ast.parse(Path(http_protocol.__file__).read_text(encoding="utf-8"))
    protocol = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "HttpProtocol")
    nodes = [node for node in ast.walk(protocol) if isinstance(node, ast.Attribute)]
    own = {node.attr for node in nodes if isinstance(node.ctx, ast.Store) and node.attr.startswith("_")}
    own |= {node.name for node in protocol.body if isinstance(node, ast.FunctionDef) and node.name.startswith("_")}
    receivers = ("self", "super()", "self.cycle")
    return {node.attr for node in nodes if ast.unparse(node.value) in receivers} - own - {"__init__"}


def connection() -> HttpToolsProtocol:
    return HttpToolsProtocol(uvicorn.Config(lambda: None, log_config=None), ServerState(), {}, asyncio.new_event_loop())


@pytest.fixture
def protocol():
    opened = connection()
    yield opened
    opened.loop.close()


def test_the_contract_names_every_attribute_that_the_file_uses() -> None:
    asyncio_methods = {name for name in dir(asyncio.Protocol) if not name.startswith("_")}
    assert used_names() - asyncio_methods <= {*ATTRIBUTES, *METHODS, *OTHER_OBJECTS}


def test_the_contract_stays_short() -> None:
    assert len({*ATTRIBUTES, *METHODS, *CLASSES, *OTHER_OBJECTS}) <= MAX_NAMES


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_connection_has_the_attribute(protocol: HttpToolsProtocol, name: str) -> None:
    protocol.on_message_begin()
    assert hasattr(protocol, name), f"uvicorn {uvicorn.__version__} has no {name} on a connection any more"


@pytest.mark.parametrize(("name", "arguments"), METHODS.items(), ids=METHODS)
def test_a_connection_has_the_method(name: str, arguments: list[str]) -> None:
    method = getattr(HttpToolsProtocol, name, None)
    assert method is not None, f"uvicorn {uvicorn.__version__} has no method {name} on a connection any more"
    found = list(inspect.signature(method).parameters)[1:]
    assert found == arguments, f"{name} takes {found} in uvicorn {uvicorn.__version__}, and not {arguments}"


def test_a_request_begins_with_the_state_of_the_application(protocol: HttpToolsProtocol) -> None:
    protocol.app_state["settings"] = "a value"
    protocol.on_message_begin()
    assert protocol.scope["state"] == protocol.app_state, "uvicorn no longer copies the state into a request's scope"
    assert protocol.scope["headers"] is protocol.headers, "uvicorn no longer collects headers in the scope's list"


def test_a_request_says_whether_its_response_is_complete() -> None:
    names = RequestResponseCycle.__init__.__code__.co_names
    assert "response_complete" in names, "uvicorn's request has no response_complete any more"


def test_the_flow_control_can_be_replaced() -> None:
    assert list(inspect.signature(FlowControl).parameters) == ["transport"]
    assert callable(FlowControl.resume_reading)


def test_the_pipeline_is_empty_at_first(protocol: HttpToolsProtocol) -> None:
    assert len(protocol.pipeline) == 0
