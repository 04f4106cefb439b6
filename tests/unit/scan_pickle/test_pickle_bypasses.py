"""Known ways around pickle scanners; each must fail here. Payloads are only ever written down."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

import pytest

from weighbridge.core import DEFAULT_LIMITS, Answer, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, PickleScan, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles


def scan(data: bytes, allowed: frozenset[tuple[str, str]] = frozenset()) -> PickleScan | None:
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "f"), allowed=allowed)
    return scan_pickles(MemorySource("f", data), at=Location("f"), context=context)


def find_rules(data: bytes) -> set[str]:
    """Return the ids of the rules that fail."""
    found = scan(data)
    assert found is not None
    return {f.rule_id for f in found.findings if f.answer is Answer.FAIL}


def find_all_rules(data: bytes) -> set[str]:
    """Return the ids of all rules that say something, at least one of them fail."""
    found = scan(data)
    assert found is not None
    assert any(f.answer is Answer.FAIL for f in found.findings)
    return {f.rule_id for f in found.findings}


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def call(module: str, name: str, *args: str) -> bytes:
    """Return a protocol 4 pickle that calls a name with texts."""
    body = b"".join(text(arg) for arg in args)
    return b"\x80\x04" + text(module) + text(name) + b"\x93(" + body + b"tR."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"),
        ("builtins", "eval"), ("builtins", "exec"), ("builtins", "compile"), ("builtins", "open"),
        ("builtins", "__import__"), ("builtins", "getattr"), ("builtins", "map"),
        ("builtins", "filter"), ("builtins", "apply"), ("builtins", "breakpoint"),
        ("__builtin__", "eval"), ("__builtins__", "eval"), ("sys", "exit"), ("shutil", "rmtree"),
        ("socket", "create_connection"), ("runpy", "_run_code"), ("pty", "spawn"),
        ("webbrowser", "open"), ("ctypes", "CDLL"), ("pip", "main"),
        ("pip._internal.cli.main", "main"), ("code", "interact"), ("pdb", "run"),
        ("timeit", "timeit"), ("timeit", "main"), ("cProfile", "run"), ("profile", "run"),
        ("trace", "Trace"), ("asyncio", "run"), ("multiprocessing.util", "spawnv_passfds"),
        ("urllib.request", "urlopen"), ("http.client", "HTTPSConnection"), ("ftplib", "FTP"),
        ("smtplib", "SMTP"), ("tempfile", "mktemp"), ("logging.config", "listen"),
        ("numpy.testing._private.utils", "runstring"), ("numpy", "load"), ("torch", "load"),
        ("torch.hub", "load"), ("torch.jit", "load"), ("joblib", "load"),
        ("torch.jit.unsupported_tensor_ops", "execWrapper"),
        ("torch.utils.bottleneck.__main__", "run_cprofile"),
        ("torch.utils.collect_env", "run"), ("torch.utils._config_module", "load_config"),
        ("torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression"),
        ("torch._inductor.codecache", "compile_file"), ("pandas", "read_pickle"),
        ("pickle", "loads"), ("_pickle", "loads"), ("cPickle", "loads"), ("marshal", "loads"),
        ("bdb", "Bdb"), ("cgitb", "lookup"), ("zipimport", "zipimporter"),
        ("importlib", "import_module"), ("importlib.machinery", "SourceFileLoader"),
        ("imp", "load_source"), ("functools", "partial"),
        ("types", "FunctionType"), ("types", "CodeType"),
        ("pydoc", "locate"), ("pydoc", "pipepager"), ("lib2to3.pgen2.pgen", "ParserGenerator"),
        ("idlelib.run", "Executive.runcode"), ("idlelib.pyshell", "ModifiedInterpreter.runcode"),
        ("ensurepip", "_run_pip"), ("venv", "create"), ("doctest", "debug_script"),
        ("unittest.mock", "_importer"), ("xmlrpc.client", "ServerProxy"),
        ("ssl", "get_server_certificate"),
        ("sqlite3", "connect"), ("collections", "namedtuple"), ("dataclasses", "make_dataclass"),
        ("distutils.file_util", "write_file"), ("_io", "FileIO"), ("io", "open"),
        ("codecs", "open"), ("linecache", "getlines"), ("fileinput", "FileInput"),
        ("cloudpickle.cloudpickle", "_make_function"), ("dill._dill", "_create_function"),
        ("joblib.memory", "Memory"), ("aifc", "open"), ("nturl2path", "url2pathname"),
        ("copyreg", "add_extension"), ("copyreg", "constructor"), ("inspect", "getattr_static"),
        ("ast", "literal_eval"), ("signal", "signal"), ("atexit", "register"),
        ("gc", "get_objects"),
        ("itertools", "starmap"), ("weakref", "finalize"), ("contextlib", "ExitStack"),
        ("numpy.core", "_ufunc_reconstruct"), ("numpy.f2py.crackfortran", "myeval"),
        ("numpy", "memmap"), ("pathlib", "Path.unlink"), ("pathlib", "PosixPath.write_text"),
        ("builtins", "str.format"), ("collections", "OrderedDict.fromkeys"),
    ],
)  # fmt: skip
def test_calls_that_run_something_fail(module: str, name: str) -> None:
    assert find_rules(call(module, name, "x")) & {"WB-PKL-001", "WB-PKL-003", "WB-PKL-007"}
    protocol0 = f"c{module}\n{name}\n(S'x'\ntR.".encode()
    assert find_rules(protocol0) & {"WB-PKL-001", "WB-PKL-003", "WB-PKL-007"}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        # A name from the memo, as any pickler may write it: no trick, but a call.
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x9400h\x00h\x01\x93\x8c\x01x\x85R.", "001"),
        # A memo slot that is overwritten before it is used.
        (b"\x80\x04\x8c\x04math\x8c\x02osq\x000h\x00\x8c\x06system\x93\x8c\x01x\x85R.", "001"),
        (
            b"\x80\x02X\x01\x00\x00\x00aq\x00X\x02\x00\x00\x00osq\x000h\x00X\x06\x00\x00\x00system\x93)R.",
            "001",
        ),
        # INST, OBJ, NEWOBJ, NEWOBJ_EX.
        (b"(S'id'\nios\nsystem\n.", "001"),
        (b"(cos\nsystem\nS'id'\no.", "001"),
        (b"\x80\x02csubprocess\nPopen\nX\x01\x00\x00\x00x\x85\x81.", "001"),
        (b"\x80\x04csubprocess\nPopen\n)}\x92.", "001"),
        # Only mentioned: a listed class may call it later (defaultdict's factory does).
        (b"ccollections\ndefaultdict\n(cos\ngetcwd\ntR.", "002"),
        (b"cos\nsystem\n.", "002"),
        (b"\x80\x02cbuiltins\neval\nq\x000N.", "002"),
        # A name that is computed, or is no text.
        (b"\x80\x04\x8c\x02os\x8c\x06systemC\x00\x8c\x01x\x93.", "006"),
        (b"\x80\x04c_codecs\nencode\n\x8c\x02os\x8c\x06latin1\x86R\x8c\x06system\x93.", "006"),
        (b"\x80\x04cbuiltins\nstr\n\x8c\x02os\x85R\x8c\x06system\x93\x8c\x01x\x85R.", "006"),
        (b"\x80\x04" + text("o" * 300) + text("x") + b"\x93.", "006"),
        # Calling what a call gave; calling no function at all.
        (b"\x80\x02cfoo\nbar\n)R)R.", "008"),
        (b"\x80\x02ccollections\nOrderedDict\n)R)R.", "008"),
        (b"\x80\x02N)R.", "008"),
        (b"\x80\x02]cos\nx\na)R.", "008"),
        # copyreg's extension registry.
        (b"\x80\x02\x82\x01.", "011"),
        (b"\x80\x02\x83\x01\x01.", "011"),
        (b"\x80\x02\x84\x01\x01\x01\x00)R.", "011"),
        # Attributes of a class or a function, items of a module's list.
        (b"\x80\x02ccollections\nOrderedDict\n}X\x04\x00\x00\x00nameK\x01sb.", "010"),
        (b"\x80\x02csys\npath\nX\x01\x00\x00\x00.a.", "010"),
        (b"\x80\x02csys\nmodules\nX\x01\x00\x00\x00xNs.", "010"),
        (b"\x80\x02csklearn.svm._classes\nSVC\n(Ne.", "010"),
        # Listed functions with arguments that make them something else.
        (b"ccopy_reg\n_reconstructor\n(cos\nsystem\ncos\nsystem\nNtR.", "009"),
        (b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\ncfoo\nbar\nNtR.", "009"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cos\nbar\n(K\x00tS'b'\ntR.", "009"),
        (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", "009"),
        (b"c_codecs\nencode\n(S'x'\ntR.", "009"),
        (b"cbuiltins\ntype\n(S'X'\n(t}tR.", "009"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00)))NtR.", "009"),
        (b"cnumpy.random._pickle\n__generator_ctor\n(S'x'\ncos\nsystem\ntR.", "009"),
        (
            b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nNX\x01\x00\x00\x00x\x85NtR.",
            "001",
        ),
        (b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(NNX\x01\x00\x00\x00x\x85NtR.", "008"),
        (b"\x80\x02ctorch\nfloat32\n)R.", "009"),
        (b"\x80\x02cnumpy.dtypes\nVoidDType\n)R.", "009"),
        # The pickle breaks after the payload (nullifAI), or in it.
        (b"\x80\x04cos\nsystem\n\x8c\x01x\x85R\xff\xff\xff\xff", "001"),
        (b"\x80\x04cos\nsystem\n\x8c\x01x\x85R", "012"),
        (b"cos\nsystem\n(S'x'\ntRXX", "001"),
        # What the payload is behind: other pickles, junk, zeros, a frame that lies.
        (b"\x80\x04N.\x80\x04cos\nsystem\n)R.", "001"),
        (b"N.cos\nsystem\n)R.", "001"),
        (b"\x80\x04N.junk and more\x80\x04cos\nsystem\n)R.", "001"),
        (b"\x80\x04N." + bytes(5000) + b"\x80\x02cos\nsystem\n)R.", "001"),
        (b"\x80\x04\x95\x04" + bytes(7) + b"N.!!cos\nsystem\n)R.", "018"),
        (b"\x80\x04\x95\xff" + bytes(7) + b"cos\nsystem\n)R.", "001"),
        # A frame that ends inside an argument: CPython's C unpickler then drops what it has read.
        (b"\x80\x04\x95\x04" + bytes(7) + b"cxyos\nsystem\n)R.", "018"),
        # Protocol bytes that come late or lie change which names Python 2 names are.
        (b"\x80\x04\x80\x02c__builtin__\neval\n)R.", "001"),
        (b"c__builtin__\neval\n\x80\x04)R.", "001"),
        (b"\x80\x02cexceptions\neval\n)R.", "003"),
        (b"\x80\x02citertools\nimap\n)R.", "001"),
        # POP, POP_MARK and DUP do not hide a call.
        (b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00x\x85R1N.", "001"),
        (b"\x80\x02cos\nsystem\n2)R0.", "001"),
        # A list that is changed after it became an argument, through the memo.
        (b"\x80\x02cos\nsystem\n]q\x00h\x00X\x01\x00\x00\x00xa0R.", "001"),
        # The loader's own objects are not to be called.
        (b"\x80\x02K\x01Q)R.", "008"),
        # Source code in a persistent id; its class is judged like any other name.
        (
            b"\x80\x02(X\x06\x00\x00\x00modulecos\nsystem\nX\x01\x00\x00\x00fX\x01\x00\x00\x00stQ)R.",
            "001",
        ),
    ],
)  # fmt: skip
def test_bypasses_fail(data: bytes, rule: str) -> None:
    assert f"WB-PKL-{rule}" in find_all_rules(data)


def test_a_memo_that_is_kept_between_pickles_is_not_forgotten() -> None:
    first = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x86."
    second = b"\x80\x04\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x9400h\x00h\x01\x93)R."
    file = io.BytesIO(first + second)
    asked = []

    class Loader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            asked.append((module, name))
            return dict

    loader = Loader(file)
    loader.load()
    loader.load()
    assert asked == [("os", "system")]  # the memo is not that of a fresh unpickler
    found = scan(first + second)
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-015"]


def test_a_checked_function_is_not_called_unseen_as_a_method() -> None:
    # APPEND looks ``append`` up on the instance, so that a state can put a function there.
    data = (
        b"\x80\x04ccollections\nOrderedDict\n)R}\x8c\x06appendctorch.storage\n_load_from_bytes\nsb"
        b"C\x03abca."
    )
    given = []

    class Loader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return given.append if module == "torch.storage" else super().find_class(module, name)

    Loader(io.BytesIO(data)).load()
    assert given == [b"abc"]
    assert find_rules(data) == {"WB-PKL-009"}
    # Through the memo, or by DUP, with a call of the same function to make the figures agree.
    again = data.replace(b"_load_from_bytes\nsb", b"_load_from_bytes\n\x94sb0")
    assert find_rules(again.replace(b"C\x03abca.", b"h\x00C\x01x\x85R0h\x00.")) == {"WB-PKL-009"}


def test_an_object_does_not_become_one_of_another_class() -> None:
    change = b"N}\x8c\x09__class__cjoblib.numpy_pickle\nNumpyArrayWrapper\ns\x86b."
    assert find_rules(b"\x80\x04cargparse\nNamespace\n)\x81" + change) == {"WB-PKL-009"}
    hidden = b"ccollections\nOrderedDict\n)R\x8c\x09__class__Ns\x86b."
    found = scan(b"\x80\x04cargparse\nNamespace\n)\x81N" + hidden)
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-019"]


def test_a_frame_that_hides_the_payload_is_never_followed() -> None:
    # As far as this engine reads, the text never ends; the C unpickler skips its head.
    found = scan(b"\x95\x05" + bytes(7) + b"\x8c\xff__cos\nsystem\n)R.")
    assert found is not None
    assert not found.complete


def test_nested_pickles_are_followed() -> None:
    inner = pickle.dumps({"a": 1}, 2) + b"cos\nsystem\n)R."
    data = b"\x80\x04ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner
    rules = find_rules(data + b"\x85R.")
    assert "WB-PKL-001" in rules


class Own:
    """A class that nobody vouches for."""


def test_unknown_classes_are_unknown_with_an_entry_to_paste() -> None:
    found = scan(pickle.dumps(Own(), 4))
    assert found is not None
    (finding,) = found.findings
    assert finding.answer is Answer.UNKNOWN
    assert finding.rule_id == "WB-PKL-004"
    module = Own.__module__
    assert finding.detail == f'allow = [["{module}", "Own"]]'
    vouched = scan(pickle.dumps(Own(), 4), frozenset({(module, "Own")}))
    assert vouched is not None
    assert vouched.findings == ()


def test_users_cannot_loosen_checked_functions() -> None:
    data = b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR."
    found = scan(data, frozenset({("_codecs", "encode")}))
    assert found is not None
    assert [f.rule_id for f in found.findings] == ["WB-PKL-009"]


def test_arguments_and_offsets_are_shown() -> None:
    found = scan(b"\x80\x02csubprocess\nPopen\n](X\x02\x00\x00\x00shX\x02\x00\x00\x00-ce\x85R.")
    assert found is not None
    (finding,) = found.findings
    assert finding.detail == "subprocess.Popen(['sh', '-c'])"
    assert finding.location.offset == 38
    assert finding.message.endswith("calls subprocess.Popen as soon as it is loaded.")


def test_shown_arguments_do_nothing_to_a_terminal() -> None:
    found = scan(b"\x80\x02cos\nsystem\n" + text("\x1b[2J\u202e" + "A" * 5000) + b"\x85R.")
    assert found is not None
    detail = found.findings[0].detail
    assert detail.isprintable()
    assert len(detail) <= 400


@pytest.mark.parametrize("protocol", range(6))
def test_python2_names_are_mapped_below_protocol_3(protocol: int) -> None:
    header = bytes((0x80, protocol)) if protocol > 1 else b""
    data = header + b"ccopy_reg\n_reconstructor\n(c__builtin__\nset\nc__builtin__\nobject\nNtR."
    found = scan(data)
    assert found is not None
    assert (found.findings == ()) == (protocol < 3)


@pytest.mark.parametrize(("module", "answer"), [("mod", Answer.UNKNOWN), ("os.mod", Answer.FAIL)])
def test_more_findings_than_are_kept_still_count(module: str, answer: Answer) -> None:
    many: Any = b"".join(f"c{module}{i}\nf\n0".encode() for i in range(2000)) + b"N."
    found = scan(b"\x80\x02" + many)
    assert found is not None
    assert len(found.findings) == DEFAULT_LIMITS.max_findings + 1
    assert found.findings[-1].answer is answer
