"""The walls between packages, read from the imports."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [
    *sorted(
        path
        for package in ("app", "model", "scoring", "training", "client/docket_client")
        for path in (ROOT / package).rglob("*.py")
    ),
    ROOT / "docket.py",
]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def files_that_import(package: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if any(name == package or name.startswith(f"{package}.") for name in imports(path))
    }


def packages(files: set[str]) -> set[str]:
    return {file.split("/")[0] for file in files}


def test_app_and_training_import_model_and_never_each_other():
    assert packages(files_that_import("app")) <= {"app", "scoring", "docket.py"}
    assert packages(files_that_import("training")) <= {"training", "scoring", "docket.py"}
    assert {"app", "training"} <= packages(files_that_import("model"))
    assert packages(files_that_import("scoring")) == {
        "scoring",
        "docket.py",
    }  # it has training's readers and app's answers
    assert files_that_import("docket") == {"training/__main__.py"}  # which torchrun starts in docket train's place


LAYERS = {"server": 4, "api": 3, "protocols": 3, "middleware": 3, "parsing": 2, "inference": 1, "observability": 1}
"""The packages of the service, the lower the fewer others they may import; ``app.main`` is above all of them."""


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_of_the_service_imports_no_package_above_it(package: str) -> None:
    above = {f"app.{name}" for name, layer in LAYERS.items() if layer > LAYERS[package]} | {"app.main"}
    for path in (ROOT / "app" / package).glob("*.py"):
        wrong = {name for name in imports(path) if any(name == top or name.startswith(f"{top}.") for top in above)}
        if package != "server":  # its workers build the application
            assert not wrong, f"{path} imports {wrong}"


def test_the_failures_of_a_request_know_nothing_of_http() -> None:
    assert {name.split(".")[0] for name in imports(ROOT / "app" / "errors.py")} <= {"__future__", "model"}


def test_the_client_imports_no_other_package():
    """It is installed where the service is not."""
    allowed = {"docket_client", "httpx", "pydantic", "stamina", "typing_extensions", *sys.stdlib_module_names}
    for path in (ROOT / "client").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path
    assert packages(files_that_import("docket_client")) == {"client"}


def test_one_file_uses_torch_distributed():
    assert files_that_import("torch.distributed") == {"training/distributed.py"}


def test_one_file_reads_and_writes_numpy_files():
    assert {path.name for path in FILES if "np.load" in code(path) or "np.save" in code(path)} == {"checkpoint.py"}


@pytest.mark.parametrize(
    ("library", "package"),
    [("fastapi", "app"), ("uvicorn", "app"), ("prometheus_client", "app"), ("structlog", "app")]
    + [("ray", "scoring"), ("httpx", "client")]
    + [(library, "training") for library in ("sklearn", "scipy", "numpy", "matplotlib")],
)
def test_one_package_uses_a_library(library, package):
    assert packages(files_that_import(library)) == {package}


def test_app_and_client_alone_use_pydantic():
    assert packages(files_that_import("pydantic")) == {"app", "client"}


def test_the_service_does_not_import_torch():
    assert packages(files_that_import("torch")) == {"model", "training"}


def test_model_needs_torch_and_the_standard_library_alone():
    allowed = {"torch", "model", "__future__", *sys.stdlib_module_names}
    for path in (ROOT / "model").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_no_module_of_model_imports_itself_through_others():
    """Imports under TYPE_CHECKING count too."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "model").rglob("*.py")}
    edges = {name: imports(path) & names.keys() for name, path in names.items()}
    TopologicalSorter(edges).prepare()  # raises CycleError, which names the modules


def test_one_file_uses_opentelemetry():
    assert files_that_import("opentelemetry") == {"app/observability/tracing.py"}


def test_one_file_uses_torch_jit():
    assert {path.name for path in FILES if "torch.jit" in code(path)} == {"torchscript.py"}


def test_one_file_reads_the_environment():
    assert {path.name for path in FILES if re.search(r"os\.environ|getenv", code(path))} == {"settings.py"}


def test_one_file_chooses_the_device():
    assert {path.name for path in FILES if "cuda.is_available" in code(path)} == {"device.py"}


def test_one_file_maps_failures_to_statuses():
    known = {path.name for path in FILES if "HTTPStatus" in code(path)}
    assert known == {"problems.py", "operations.py"}


def test_nothing_is_pickled():
    assert {path.name for path in FILES if re.search(r"pickle|torch\.(save|load)\b|joblib", code(path))} == set()


def test_importing_a_module_starts_and_reads_nothing():
    """Statements at the top of a file define, import or assign; none is a call for its effect."""
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Expr):
                assert isinstance(node.value, ast.Constant), f"{path}:{node.lineno}"


def test_no_file_has_a_name_without_meaning():
    assert not {path.stem for path in FILES} & {"utils", "util", "core", "base", "common", "helpers", "manager", "misc"}


def code(path: Path) -> str:
    """A file without its comments and docstrings, as Python writes it back."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
    return ast.unparse(tree)
