"""The house keeps its walls: storeys are held by import-linter, doors and homes are held here."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import weighbridge
from support import ROOT

SOURCE = ROOT / "src" / "weighbridge"
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))

# Each heavy dependency has one home; everybody else asks that room.
HOMES = {
    "IPython": {"integrations"},
    "blake3": {"artifact"},
    "cel": {"policy"},
    "click": {"cli"},
    "cryptography": {"signing"},
    "dask": {"engines"},
    "distributed": {"engines"},
    "fsspec": {"store"},
    "id": {"signing"},
    "ipykernel": {"integrations"},
    "jinja2": {"scanning"},
    "license_expression": {"formats"},
    "lz4": {"formats"},
    "mlflow": {"integrations"},
    "nbclient": {"integrations"},
    "nbformat": {"integrations"},
    "pkcs11": {"signing"},
    "pyarrow": {"datasets"},
    "pydantic": {"policy"},
    "rfc3161_client": {"signing"},
    "rich": {"cli"},
    "sigstore": {"signing"},
    "sigstore_models": {"signing"},
    "sqlalchemy": {"store"},
    "starlette": {"server"},
    "tornado": {"integrations"},
    "traitlets": {"integrations"},
    "tuf": {"signing"},
    "yaml": {"formats"},
    "zstandard": {"formats"},
}
# What would run what is being examined. Nobody needs it.
FORBIDDEN = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch"}
FORBIDDEN_NETWORK = {"http", "requests", "socket", "urllib.request", "urllib3"}
# The one module that opens a connection of its own, by no other means than this.
NETWORK_HOMES = {"signing/_timestamp_client.py": {"http", "urllib.request"}}


def read_modules() -> Iterator[tuple[Path, str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        yield path, room, ast.parse(path.read_text())


def read_imports(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or "", tuple(alias.name for alias in node.names)


def test_rooms_are_entered_by_their_doors() -> None:
    for path, room, tree in read_modules():
        for module, _ in read_imports(tree):
            parts = module.split(".")
            private = parts[0] == "weighbridge" and len(parts) > 2 and parts[2].startswith("_")
            assert not private or parts[1] == room, f"{path} goes through the wall: {module}"


def test_nobody_inside_uses_the_facade() -> None:
    for path, _, tree in read_modules():
        for module, names in read_imports(tree):
            if module == "weighbridge":
                assert names, f"{path} imports the facade"
                assert set(names) <= set(ROOMS), f"{path} imports {names} from the facade"


def test_each_heavy_dependency_has_one_home() -> None:
    for path, room, tree in read_modules():
        for module, _ in read_imports(tree):
            top = module.partition(".")[0]
            assert room in HOMES.get(top, {room}), f"{path} imports {module}"


def test_nothing_that_runs_what_is_examined_is_imported() -> None:
    for path, _, tree in read_modules():
        for module, names in read_imports(tree):
            named = {module, module.partition(".")[0], *(f"{module}.{name}" for name in names)}
            allowed = NETWORK_HOMES.get(path.relative_to(SOURCE).as_posix(), set())
            refused = FORBIDDEN | (FORBIDDEN_NETWORK - allowed)
            assert not named & refused, f"{path} imports {module}"
            assert "literal_eval" not in names, f"{path}: literal_eval has no bound"
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"eval", "exec", "compile", "__import__"}, path


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_says_what_is_behind_it(room: str) -> None:
    door = importlib.import_module(f"weighbridge.{room}")
    assert door.__doc__
    names = door.__all__
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(door, name) is not None


def test_the_facade_gives_what_it_promises() -> None:
    for name in weighbridge.__all__:
        assert getattr(weighbridge, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        weighbridge.nothing  # noqa: B018


def test_no_room_has_the_name_of_a_public_function() -> None:
    """Importing a sub-package would put it in the function's place."""
    assert not set(weighbridge.__all__) & set(ROOMS)


def test_modules_stay_short() -> None:
    for path, _, _ in read_modules():
        lines = len(path.read_text().splitlines())
        assert lines <= 600, f"{path} has {lines} lines: split it"


def test_the_library_lists_its_names() -> None:
    """They are fetched late; completion in an interpreter asks for them all the same."""
    assert set(weighbridge.__all__) <= set(dir(weighbridge))
    assert "annotations" not in dir(weighbridge)
