"""What was published about ways around pickle scanners, each built here and found here.

The references are advisories of picklescan and fickling (GHSA), CVE numbers, issues of modelscan,
and papers. Payloads are only ever written down; nothing is loaded.
"""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys

import pytest

from weighbridge.core import DEFAULT_LIMITS, Answer, Location
from weighbridge.formats import MemorySource
from weighbridge.scanning._context import Budget, PickleScan, ScanContext
from weighbridge.scanning._pickle._scan import scan_pickles

GADGETS = [
    ("GHSA-5qwp-399c-mjwf", "trace", "Trace.run"),
    ("GHSA-g344-hcph-8vgg", "trace", "Trace.runctx"),
    ("GHSA-x696-vm39-cp64", "profile", "Profile.run"),
    ("GHSA-6vqj-c2q5-j97w", "profile", "Profile.runctx"),
    ("GHSA-7wx9-6375-f5wh", "profile", "run"),
    ("GHSA-9w88-8rmg-7g2p", "cProfile", "runctx"),
    ("GHSA-f54q-57x4-jg88", "lib2to3.pgen2.grammar", "Grammar.loads"),
    ("GHSA-p9w7-82w4-7q8m", "lib2to3.pgen2.pgen", "ParserGenerator.make_label"),
    ("GHSA-3vg9-h568-4w9m", "idlelib.debugobj", "ObjectTreeItem.SetText"),
    ("GHSA-6w4w-5w54-rjvr", "idlelib.autocomplete", "AutoComplete.get_entity"),
    ("GHSA-7cq8-mj8x-j263", "idlelib.autocomplete", "AutoComplete.fetch_completions"),
    ("GHSA-m869-42cg-3xwr", "idlelib.run", "Executive.runcode"),
    ("GHSA-j343-8v2j-ff7w", "idlelib.pyshell", "ModifiedInterpreter.runcommand"),
    ("GHSA-3gf5-cxq9-w223", "idlelib.pyshell", "ModifiedInterpreter.runcode"),
    ("GHSA-4whj-rm5r-c2v8", "torch.utils.bottleneck.__main__", "run_autograd_prof"),
    ("GHSA-xp4f-hrf8-rxw7", "ensurepip", "_run_pip"),
    ("GHSA-fqq6-7vqf-w3fg", "doctest", "debug_script"),
    ("GHSA-v7x6-rv5q-mhwc", "timeit", "timeit"),
    ("GHSA-vvpj-8cmc-gx39", "pkgutil", "resolve_name"),
    ("GHSA-g38g-8gr9-h9xp", "uuid", "_get_command_stdout"),
    ("GHSA-g38g-8gr9-h9xp", "imaplib", "IMAP4_stream"),
    ("GHSA-g38g-8gr9-h9xp", "_pyrepl.pager", "pipe_pager"),
    ("GHSA-g38g-8gr9-h9xp", "_osx_support", "_read_output"),
    ("GHSA-g38g-8gr9-h9xp", "_aix_support", "_read_cmd_output"),
    ("GHSA-5hwf-rc88-82xm", "_osx_support", "_find_build_tool"),
    ("GHSA-m6fh-58r7-x697", "_posixsubprocess", "fork_exec"),
    ("GHSA-m6fh-58r7-x697", "site", "addsitedir"),
    ("GHSA-m6fh-58r7-x697", "atexit", "register"),
    ("GHSA-6ggj-6f2q-f7mx", "_interpreters", "create"),
    ("GHSA-6ggj-6f2q-f7mx", "_xxsubinterpreters", "run_string"),
    ("GHSA-565g-hwwr-4pp3", "marshal", "loads"),
    ("GHSA-565g-hwwr-4pp3", "types", "FunctionType"),
    ("GHSA-r7v6-mfhq-g3m2", "pty", "spawn"),
    ("GHSA-wfq2-52f7-7qvj", "cProfile", "run"),
    ("GHSA-p523-jq9w-64x9", "runpy", "run_path"),
    ("GHSA-5hvc-6wx8-mvv4", "ctypes", "CDLL"),
    ("GHSA-84r2-jw7c-4r5q", "pickle", "loads"),
    ("GHSA-84r2-jw7c-4r5q", "_pickle", "loads"),
    ("GHSA-vqmv-47xg-9wpr", "venv", "create"),
    ("GHSA-hgrh-qx5j-jfwx", "aiohttp", "request"),
    ("GHSA-r8g5-cgf2-4m4m", "numpy.f2py.crackfortran", "getlincoef"),
    ("GHSA-cffc-mxrf-mhh4", "numpy.f2py.crackfortran", "_eval_length"),
    ("CVE-2025-1716", "pip", "main"),
    ("CVE-2025-10157", "asyncio.unix_events", "_UnixSubprocessTransport._start"),
    ("CVE-2025-10156", "distutils.file_util", "write_file"),
    ("fickling pull 312", "imp", "load_source"),
    ("fickling pull 312", "pipes", "Template"),
    ("modelscan issue 267", "pickle", "load"),
    # arXiv 2508.19774 (the art of hide and seek): loaders of other formats as gadgets.
    ("arXiv 2508.19774", "numpy.lib.npyio", "load"),
    ("arXiv 2508.19774", "joblib.numpy_pickle", "load"),
    ("arXiv 2508.19774", "torch.package.package_importer", "PackageImporter"),
    ("arXiv 2508.19774", "pandas.io.pickle", "read_pickle"),
    ("arXiv 2508.19774", "logging.config", "dictConfig"),
    ("arXiv 2508.19774", "zipimport", "zipimporter"),
    ("arXiv 2508.19774", "test.support.script_helper", "assert_python_ok"),
    ("arXiv 2508.19774", "sympy.parsing.sympy_parser", "parse_expr"),
    ("arXiv 2508.19774", "yaml", "unsafe_load"),
    ("arXiv 2508.19774", "jinja2.environment", "Template"),
]


def scan(data: bytes) -> PickleScan:
    context = ScanContext(DEFAULT_LIMITS, Budget(DEFAULT_LIMITS, "f"))
    found = scan_pickles(MemorySource("f", data), at=Location("f"), context=context)
    assert found is not None
    return found


def fails(data: bytes) -> bool:
    return any(finding.answer is Answer.FAIL for finding in scan(data).findings)


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


@pytest.mark.parametrize(("reference", "module", "name"), GADGETS)
@pytest.mark.parametrize("how", ["global", "stack-global", "inst", "obj", "memo", "partial"])
def test_gadgets_fail_however_they_are_called(
    reference: str, module: str, name: str, how: str
) -> None:
    if how == "global":
        data = b"c" + f"{module}\n{name}\n".encode() + b"(S'x'\ntR."
    elif how == "stack-global":
        data = b"\x80\x04" + text(module) + text(name) + b"\x93(" + text("x") + b"tR."
    elif how == "inst":
        data = b"(S'x'\ni" + f"{module}\n{name}\n.".encode()
    elif how == "obj":
        data = b"(c" + f"{module}\n{name}\n".encode() + b"S'x'\no."
    elif how == "memo":
        data = b"\x80\x04" + text(name) + b"\x94" + text(module) + b"\x9400h\x01h\x00\x93)R."
    else:
        data = b"cfunctools\npartial\n(c" + f"{module}\n{name}\n".encode() + b"tR."
    assert fails(data), reference


CALL = b"cos\nsystem\n(S'x'\ntR"

STREAMS = [
    # GHSA-m273-6v24-x4m4, GHSA-955r-x9j8-7rhh, GHSA-46h3-79wf-xr6c: the operator module.
    ("attrgetter", b"coperator\nattrgetter\n(S'system'\ntR(cbuiltins\n__import__\n(S'os'\ntRtR."),
    ("attrgetter", b"c_operator\nattrgetter\n(S'system'\ntR(S'x'\ntR."),
    ("methodcaller", b"coperator\nmethodcaller\n(S'system'\nS'x'\ntR(cos\npath\ntR."),
    ("methodcaller", b"c_operator\nmethodcaller\n(S'__reduce__'\ntR."),
    ("attrgetter of dunders", b"coperator\nattrgetter\n(S'__globals__.x'\ntR."),
    ("partial of a listed function that is called", b"cfunctools\npartial\n(cnumpy\nsum\ntR)R."),
    ("partial of a computed function", b"cfunctools\npartial\n(cfunctools\npartial\n)RtR."),
    # The stream breaks behind the payload (nullifAI, ReversingLabs 2025).
    ("broken", CALL + b"XX"),
    ("broken", b"\x80\x04" + CALL),
    ("broken in a frame", b"\x80\x04\x95\x40" + bytes(7) + CALL + b"\xff"),
    # fickling GHSA-h4rm-mm56-xf63: builtins leave no import; the result is popped.
    ("popped", b"cbuiltins\neval\n(S'1'\ntR0N."),
    ("popped by a mark", b"(cbuiltins\nexec\n(S'1'\ntR1N."),
    ("a mark is popped", b"((0" + CALL + b"."),
    # picklescan 2023: STACK_GLOBAL with its operands in the memo, computed, or of another kind.
    ("computed", (b"\x80\x04" + text("os") + b"cbuiltins\nstr\n" + text("system")
     + b"\x85R\x93)R.")),
    ("padding between", b"\x80\x04" + text("os") + b"N0" + text("system") + b"(1\x93)R."),
    ("by GET", b"Vos\np0\nVsystem\np1\n00g0\ng1\n\x93)R."),
    ("sparse memo", (b"\x80\x04" + text("os") + b"r\xff\xff\x00\x000" + text("system")
     + b"q\x070j\xff\xff\x00\x00h\x07\x93)R.")),
    # MEMOIZE counts the slots; a tool that keeps its own counter sees another name.
    ("memoize", (b"\x80\x04" + text("math") + b"q\x05\x94" + text("os") + b"\x940" + b"0"
     + b"h\x02" + text("system") + b"\x93)R.")),
    # Number literals that the C unpickler takes and pickletools does not.
    ("NUL in INT", b"I1\x00junk\n0" + CALL + b"."),
    ("NUL in LONG", b"L1\x00L\n0" + CALL + b"."),
    ("NUL in FLOAT", b"F1.5\x00junk\n0" + CALL + b"."),
    ("NUL in PUT", b"Np1\x00\n0" + CALL + b"."),
    ("NUL in GET", b"Np1\n0g1\x00\n0" + CALL + b"."),
    ("hexadecimal", b"I0x10\n0" + CALL + b"."),
    ("underscores", b"I1_0\n0" + CALL + b"."),
    ("octal", b"I010\n0" + CALL + b"."),
    ("no L", b"L10\n0" + CALL + b"."),
    ("a line without an end", b"cos\nsystem\n)Rcos\nsystem"),
    # Protocol tricks: late, low, missing, and names of Python 2.
    ("protocol 6", CALL + b"\x80\x06."),
    ("python 2", b"c__builtin__\nexecfile\n(S'x'\ntR."),
    ("python 2", b"ccommands\ngetoutput\n(S'x'\ntR."),
    # BUILD: on a class, by setstate, with slots (Pain Pickle, 2022).
    ("build on a global", b"cos\nenviron\n}b."),
    ("setstate", b"ccollections\nOrderedDict\n)R}(S'__setstate__'\ncos\nsystem\nubS'x'\nb."),
    ("setitems on a module's dict", b"csys\nmodules\n(S'x'\nNu."),
    ("class of a listed object", b"cargparse\nNamespace\n)\x81}(S'__class__'\ncos\nsystem\nub."),
    # More than one pickle, with junk between.
    ("second", b"N." + CALL + b"."),
    ("behind junk", b"\x80\x04N." + b"junk" * 100 + b"\x80\x04" + CALL + b"."),
    ("behind zeros", b"\x80\x02}." + bytes(10_000) + b"\x80\x02" + CALL + b"."),
    # Extension codes, and persistent ids that are called.
    ("extension", b"\x82\x01)R."),
    ("extension", b"\x84\x01\x00\x00\x00."),
    ("persistent id", b"P1\n(S'x'\ntR."),
    # Code by value that runs while it is loaded.
    ("carried code", b"ccloudpickle.cloudpickle\n_make_function\n(S'x'\nNtR)R."),
    ("carried code", b"ctypes\nFunctionType\n(ctypes\nCodeType\n)R}tR)R."),
    ("eval of dill", b"cdill._dill\n_eval_repr\n(S'x'\ntR."),
    ("attributes of dill", b"cdill._dill\n_get_attr\n(cos\npath\nS'x'\ntR."),
    # Classes of the standard library and of others that run something when they get a state.
    ("a template of SciPy", (b"cscipy.stats._continuous_distns\nnorm_gen\n)\x81}("
     b"S'_parse_arg_template'\nS'import os'\nub.")),
    ("import by NumPy", b"cnumpy.core\n_ufunc_reconstruct\n(S'os'\nS'system'\ntR."),
    ("getattr", b"cbuiltins\ngetattr\n(cos\npath\nS'x'\ntR."),
    ("setattr", b"cbuiltins\nsetattr\n(ccollections\nOrderedDict\nS'x'\nNtR."),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data"), STREAMS)
def test_streams_that_others_do_not_see_through_fail(what: str, data: bytes) -> None:
    assert fails(data), what


@pytest.mark.parametrize(
    "data",
    [
        b"coperator\nitemgetter\n(K\x01tR.",
        b"coperator\nattrgetter\n(S'name'\ntR.",
        b"coperator\nmethodcaller\n(S'lower'\ntR.",
        b"cfunctools\npartial\n(cnumpy\nsum\ntR(cnumpy\nsum\n)}S'axis'\nK\x00sNtb.",
        b"cbuiltins\ngetattr\n(cbuiltins\nstr\nS'lower'\ntR.",
        b"cnumpy.core\n_ufunc_reconstruct\n(S'numpy.core._multiarray_umath'\nS'exp'\ntR.",
        b"clogging\ngetLogger\n(S'x'\ntR.",
    ],
)
def test_the_harmless_siblings_pass(data: bytes) -> None:
    found = scan(data)
    assert found.complete
    assert not [f for f in found.findings if f.answer is not Answer.PASS]


@pytest.mark.parametrize("library", ["cloudpickle", "dill"])
def test_code_that_is_only_carried_is_unknown(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip("not installed")
    harmless = dump_apart(library, "lambda x: x + 1")
    assert {f.answer for f in scan(harmless).findings} == {Answer.UNKNOWN}
    found = scan(dump_apart(library, "lambda x: __import__('os').system(x)"))
    assert any(f.answer is Answer.FAIL and "system" in f.message for f in found.findings)


def dump_apart(library: str, source: str) -> bytes:
    """Pickle a function in another process: dill changes the pickler of the one that it is in."""
    code = f"import sys, {library}; sys.stdout.buffer.write({library}.dumps({source}))"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
