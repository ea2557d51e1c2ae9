"""The import rules of docs/design, and the house's limits on size, held by reading the code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("contract", "edge_agent", "central_ingest", "benchmarks", "models")

# Rule 2: pure modules import only these, the contract, and earlier pure modules or values.
PURE = {
    "edge_agent.issues", "edge_agent.observations", "edge_agent.zones", "edge_agent.place", "edge_agent.masking",
    "edge_agent.edges", "edge_agent.luma", "edge_agent.known_view", "edge_agent.health",
    "edge_agent.reports", "edge_agent.detections", "edge_agent.looks",
    "edge_agent.policy", "edge_agent.sun", "edge_agent.suppressions", "edge_agent.presence", "edge_agent.issue_state", "edge_agent.grid",
    "central_ingest.dedup", "central_ingest.spots", "central_ingest.grouping", "central_ingest.parsing", "central_ingest.packets", "central_ingest.receipts", "central_ingest.fairness", "central_ingest.cases", "central_ingest.calendar",
}  # fmt: skip
IMPURE_LIBRARIES = {
    "logging", "socket", "sqlite3", "subprocess", "threading", "time", "random", "urllib",
    "httpx", "paho", "av", "sqlalchemy", "sqlite_utils", "fastapi", "onnxruntime", "requests",
}  # fmt: skip

# Rule 3: each heavy library has one home.
HOMES = {
    "av": r"edge_agent\.(video|clips|hardware)$|benchmarks\.|models\.",
    "onnxruntime": r"edge_agent\.runtimes\.|benchmarks\.|models\.",
    "openvino": r"edge_agent\.runtimes\.|benchmarks\.|models\.",
    "paho": r"edge_agent\.mqtt$|benchmarks\.",
    "mqtt5": r"central_ingest\.(mqtt|packets|subscriber)$",
    "sqlite3": r"edge_agent\.(store|command_book)$|central_ingest\.store\.|benchmarks\.",
    "sqlite_utils": r"edge_agent\.store$|central_ingest\.store\.",
    "sqlalchemy": r"central_ingest\.(store\.|store$)",
    "alembic": r"central_ingest\.store\.",
    "fastapi": r"central_ingest\.(api|pages|app)(\.|$)",
    "starlette": r"central_ingest\.(api|pages|app)(\.|$)",
    "jinja2": r"central_ingest\.pages(\.|$)",
    "obstore": r"central_ingest\.evidence_s3$",
    "torch": r"models\.training\.",
    "ultralytics": r"models\.training\.|benchmarks\.",
}

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "node_modules" in path.parts or "migrations" in path.parts:
                continue
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[dotted.removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Every module that `module` imports, as full dotted names."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def test_there_is_something_to_check() -> None:
    assert {"contract.messages", "edge_agent.issues", "central_ingest.dedup"} <= set(MODULES)
    assert set(MODULES) >= PURE


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("contract", {"edge_agent", "central_ingest", "benchmarks", "models", "tests"}),
        ("edge_agent", {"central_ingest", "benchmarks", "models", "tests"}),
        ("central_ingest", {"edge_agent", "benchmarks", "models", "tests"}),
        ("benchmarks", {"tests"}),
        ("models", {"central_ingest", "tests"}),
    ],
)
def test_a_package_does_not_import_what_lies_beyond_it(package: str, forbidden: set[str]) -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module.split(".")[0] == package
        for name in imports(module)
        if name.split(".")[0] in forbidden
    ]
    assert not wrong


def test_the_contract_imports_only_pydantic() -> None:
    standard = {"datetime", "enum", "json", "typing", "uuid", "re", "dataclasses"}
    allowed = standard | {"pydantic", "contract"}
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if module.split(".")[0] == "contract"
        for name in imports(module)
        if name.split(".")[0] not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_does_no_input_or_output(module: str) -> None:
    wrong = [name for name in imports(module) if name.split(".")[0] in IMPURE_LIBRARIES]
    assert not wrong


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_heavy_library_has_one_home(library: str) -> None:
    wrong = [
        module
        for module in MODULES
        for name in imports(module)
        if name.split(".")[0] == library and not re.match(HOMES[library], module)
    ]
    assert not wrong


def test_imports_have_no_cycles() -> None:
    graph = {m: {n for n in imports(m) if n in MODULES and n != m} for m in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"cycle: {' -> '.join(error.args[1])}")


def test_only_supervision_catches_everything() -> None:
    wrong = [
        f"{module}:{node.lineno}"
        for module in MODULES
        if not module.endswith(".app")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
    ]
    assert not wrong


def test_no_module_is_too_long() -> None:
    lengths = {m: len(path.read_text("utf-8").splitlines()) for m, path in MODULES.items()}
    assert not {m: n for m, n in lengths.items() if n > MAX_MODULE_LINES}


def test_no_function_is_too_long() -> None:
    wrong = [
        f"{module}:{node.lineno} {node.name}"
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not wrong
