"""TorchScript, torch.export and torch.package: what their archives hold."""

from __future__ import annotations

import json

import pytest

from unit.scan_router.router_cases import EVIL, PLAIN, build_zip, has_evil, rows, rules, scan
from unit.scan_router.test_nesting import gates

# What torch.jit.save writes for a module with one tensor and a list (PyTorch 2.13).
SCRIPTED = (
    b"\x80\x02c__torch__.mine\nNet\nq\x00)\x81}(X\x06\x00\x00\x00weight"
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89"
    b"ccollections\nOrderedDict\n)RtRX\x04\x00\x00\x00sizec"
    b"torch.jit._pickle\nbuild_intlist\n](K\x01K\x02e\x85Rub."
)
CODE = (
    b'class Net(Module):\n  __parameters__ = ["weight", ]\n  __buffers__ = []\n'
    b"  weight : Tensor\n  training : bool\n"
    b"  def forward(self: __torch__.mine.Net,\n    x: Tensor) -> Tensor:\n"
    b"    return torch.mul(x, self.weight)\n"
)


def script(extra: dict[str, bytes] | None = None, code: bytes = CODE) -> bytes:
    members = {
        "m/data.pkl": SCRIPTED,
        "m/code/__torch__/mine.py": code,
        "m/code/__torch__/mine.py.debug_pkl": PLAIN,
        "m/constants.pkl": b"\x80\x02).",
        "m/version": b"3\n",
        "m/data/0": b"\0\0\x80\x3f\0\0\0\x80",
    }
    return build_zip({**members, **(extra or {})})


def test_torchscript_data_is_examined() -> None:
    result = scan(script())
    assert not [one for one in result.findings if one.rule_id.startswith("WB-PKL")]
    assert rows(result)[""] == ("examined", "torchscript zip")
    assert rows(result)["m/data.pkl"] == ("examined", "pickle")
    assert rows(result)["m/code/__torch__/mine.py.debug_pkl"][0] == "examined"
    assert rows(result)["m/data/"] == ("inert", "raw tensors")
    assert "m/code/__torch__/mine.py" in rows(result)


def test_names_of_torchscript_mean_nothing_elsewhere() -> None:
    plain = scan(build_zip({"m/data.pkl": SCRIPTED, "m/version": b"3\n"}))
    assert gates(plain)
    assert "WB-PKL-004" in rules(plain)
    nested = scan(script({"m/extra/a.zip": build_zip({"n/data.pkl": SCRIPTED})}))
    assert "WB-PKL-004" in rules(nested)


def test_torchscript_hides_nothing() -> None:
    assert has_evil(scan(script({"m/data.pkl": EVIL})))
    assert has_evil(scan(script({"m/constants.pkl": EVIL})))
    assert has_evil(scan(script({"m/code/x.py.debug_pkl": EVIL})))
    assert has_evil(scan(script({"m/extra/x": EVIL})))
    other = SCRIPTED.replace(b"__torch__.mine\nNet", b"__torch__.torch.classes.mine\nNet")
    assert "WB-PKL-004" in rules(scan(script({"m/data.pkl": other})))


@pytest.mark.parametrize(
    "extra",
    [
        {"m/Code/__torch__/mine.py": CODE},
        {"m/CONSTANTS.pkl": PLAIN},
        {"n/bytecode.pkl": PLAIN},
        {"m/.data/extern_modules": b"os\n"},
        {"m/sub/code/x.py": CODE},
    ],
)
def test_an_archive_that_is_torchscript_to_some_is_reported(extra: dict[str, bytes]) -> None:
    result = scan(script(extra))
    assert "WB-TSC-001" in rules(result)
    assert "WB-PKL-004" in rules(result)


def program(target: str, expression: str, guards: list[str] | None = None) -> bytes:
    node = {"target": target, "inputs": [], "metadata": {"stack_trace": "os.system"}}
    size = {"as_expr": {"expr_str": expression, "hint": {"as_int": 4}}}
    return json.dumps(
        {
            "graph_module": {"graph": {"nodes": [node], "sizes": [size]}},
            "guards_code": guards or [],
        }
    ).encode()


def export(model: bytes) -> bytes:
    weights = {"config": {"w": {"path_name": "weight_0", "use_pickle": False}}}
    return build_zip(
        {
            "m/archive_format": b"pt2",
            "m/models/model.json": model,
            "m/data/weights/weight_0": b"\0\0\x80\x3f\0\0\0\x80",
            "m/data/weights/model_weights_config.json": json.dumps(weights).encode(),
        }
    )


SIZE = "Add(Mul(Integer(2), Symbol('s77', positive=True, integer=True)), Integer(-1))"


def test_exported_programs_are_examined() -> None:
    for target in ("torch.ops.aten.relu.default", "_operator.mul", "torch.sym_max", "math.ceil"):
        for expression in (SIZE, "2*s0 + 1", "Max(1, s0 // 2)", "Eq(Mod(s0, 8), 0)"):
            assert not gates(scan(export(program(target, expression))))


def test_exported_programs_reach_no_further() -> None:
    """A target is looked up part by part from ``torch`` on; sympy evaluates expressions."""
    for target in ("torch.serialization.os.system", "torch.hub.load", "_operator.methodcaller"):
        assert "WB-TSC-002" in rules(scan(export(program(target, SIZE))))
    for expression in ("__import__('os').system('x')", "().__class__", "exec('x')", "Symbol.x"):
        result = scan(export(program("torch.ops.aten.add.Tensor", expression)))
        assert "WB-TSC-002" in rules(result)
    assert gates(scan(export(program("torch.ops.mine.run", SIZE))))
    assert gates(scan(export(program("torch.ops.aten.add.Tensor", SIZE, ["x()"]))))
    old = build_zip({"serialized_exported_program.json": program("torch.os.system", SIZE)})
    assert "WB-TSC-002" in rules(scan(old))


def test_tensors_of_an_exported_program_may_be_something_else() -> None:
    raw = build_zip({"m/archive_format": b"pt2", "m/data/weights/weight_0": EVIL})
    assert has_evil(scan(raw))


def test_native_code_in_an_archive_is_a_finding() -> None:
    library = {"m/archive_format": b"pt2", "m/data/aotinductor/model/a.so": b"\x7fELF" + bytes(99)}
    assert "WB-BIN-001" in rules(scan(build_zip(library)))
    jar = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n", "A.class": b"\xca\xfe\xba\xbe" * 9}
    assert "WB-BIN-001" in rules(scan(build_zip(jar)))
