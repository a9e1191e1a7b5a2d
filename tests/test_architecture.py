"""The walls between packages, read from the imports."""

import ast
import re
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [
    path
    for package in ("app", "model", "scoring", "training", "client/docket_client")
    for path in sorted((ROOT / package).rglob("*.py"))
] + [ROOT / "docket.py"]
LAYERS = {"server": 4, "api": 3, "protocols": 3, "middleware": 3, "parsing": 2, "inference": 1, "observability": 1}
"""The packages of the service. A package imports none of a higher layer; ``app.main`` is above all of them."""
STANDARD_LIBRARY = {"__future__", *sys.stdlib_module_names}


@cache
def imports(path: Path) -> set[str]:
    """The modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def top_level_imports(folder: Path) -> set[str]:
    return {name.split(".")[0] for path in folder.rglob("*.py") for name in imports(path)}


def is_inside(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def files_that_import(package: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix() for path in FILES if any(is_inside(name, {package}) for name in imports(path))
    }


def packages_that_import(package: str) -> set[str]:
    return {file.split("/")[0] for file in files_that_import(package)}


@cache
def code(path: Path) -> str:
    """A file without its comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
    return ast.unparse(tree)


def test_app_and_training_import_model_and_never_each_other() -> None:
    assert packages_that_import("app") <= {"app", "scoring", "docket.py"}
    assert packages_that_import("training") <= {"training", "scoring", "docket.py"}
    assert packages_that_import("scoring") == {"scoring", "docket.py"}  # it uses training's readers and app's answers
    assert {"app", "training"} <= packages_that_import("model")
    assert files_that_import("docket") == {"training/__main__.py"}  # torchrun starts that module


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_of_the_service_imports_no_package_of_a_higher_layer(package: str) -> None:
    above = {f"app.{name}" for name, layer in LAYERS.items() if layer > LAYERS[package]}
    if package != "server":  # whose workers build the application
        above.add("app.main")
    for path in (ROOT / "app" / package).glob("*.py"):
        assert not {name for name in imports(path) if is_inside(name, above)}, path


def test_model_needs_torch_and_the_standard_library_alone() -> None:
    assert top_level_imports(ROOT / "model") <= STANDARD_LIBRARY | {"torch", "model"}


def test_the_failures_of_a_request_are_independent_of_http() -> None:
    assert {name.split(".")[0] for name in imports(ROOT / "app" / "errors.py")} <= {"__future__", "model"}


def test_the_client_imports_no_other_package() -> None:
    """It is installed where the service is not."""
    allowed = {"docket_client", "httpx", "pydantic", "stamina", "typing_extensions"}
    assert top_level_imports(ROOT / "client") <= STANDARD_LIBRARY | allowed
    assert packages_that_import("docket_client") == {"client"}


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        *((library, {"app"}) for library in ("fastapi", "uvicorn", "prometheus_client", "structlog")),
        *((library, {"training"}) for library in ("sklearn", "scipy", "numpy", "matplotlib")),
        ("torch", {"model", "training"}),
        ("pydantic", {"app", "client"}),
        ("httpx", {"client"}),
        ("ray", {"scoring"}),
    ],
)
def test_a_library_is_used_in_its_packages_alone(library: str, packages: set[str]) -> None:
    assert packages_that_import(library) == packages


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        (r"^\s*(from|import) torch\.distributed", {"distributed.py"}),
        (r"^\s*(from|import) opentelemetry", {"tracing.py"}),
        (r"torch\.jit", {"torchscript.py"}),
        (r"cuda\.is_available", {"device.py"}),
        (r"np\.(load|save)", {"checkpoint.py"}),
        (r"os\.environ|getenv", {"settings.py"}),
        (r"HTTPStatus", {"problems.py", "operations.py"}),  # one table maps failures to statuses
        (r"pickle|torch\.(save|load)\b|joblib", set[str]()),
    ],
)
def test_one_file_has_each_means_to_the_outside(pattern: str, files: set[str]) -> None:
    assert {path.name for path in FILES if re.search(pattern, code(path), re.MULTILINE)} == files


def test_no_module_of_model_imports_itself_through_others() -> None:
    """Imports under TYPE_CHECKING count too."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "model").rglob("*.py")}
    edges = {name: imports(path) & names.keys() for name, path in names.items()}
    TopologicalSorter(edges).prepare()  # raises CycleError, which names the modules


def test_importing_a_module_starts_and_reads_nothing() -> None:
    """Statements at the top of a file define, import or assign; none is a call for its effect."""
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            assert not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant), f"{path}:{node.lineno}"
