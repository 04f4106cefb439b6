"""Names that mean harm, whether they are called or only mentioned.

These tables do not decide what passes (the allow-list does); they decide what is called
dangerous rather than unknown. So they need not be complete.
"""

from __future__ import annotations

__all__ = ["DANGEROUS_MODULES", "DANGEROUS_NAMES", "UNKNOWN_NAMES"]

_MODULES = (
    # Processes, files, code, interpreters, in the standard library of Python 3 and Python 2.
    "__builtin__ __builtins__ _io _operator _osx_support _pickle _posixsubprocess _pyio"
    " _socket _thread _winapi _xxsubinterpreters _interpreters aifc ast asyncio asyncore bdb"
    " builtins cProfile cgi cgitb code codeop commands compileall concurrent copyreg ctypes dbm"
    " distutils doctest ensurepip fileinput ftplib functools glob http idlelib imaplib imp"
    " importlib inspect io linecache lib2to3 logging mailbox mailcap marshal mmap msvcrt"
    " multiprocessing netrc nntplib nt ntpath nturl2path operator os pdb pickle pickletools pipes"
    " pkgutil platform poplib popen2 posix posixfile posixpath profile pstats pty py_compile"
    " pyclbr pydoc requests runpy sched shelve shutil signal site smtplib smtpd socket"
    " socketserver sqlite3 ssl subprocess symtable sys sysconfig tarfile telnetlib tempfile test"
    " threading timeit tkinter trace traceback turtle types unittest urllib urllib2 uu venv"
    " webbrowser winreg wsgiref xmlrpc xmlrpclib zipapp zipfile zipimport"
    # Others that exist to run something, to fetch something or to unpickle something.
    " IPython ipykernel aiohttp boto3 cffi cloudpickle dill fabric fsspec gdown httpx"
    " huggingface_hub invoke jsonpickle nbformat paramiko pexpect pip pkg_resources plumbum"
    " psutil ptyprocess py pycurl pytest requests_toolbelt setuptools sh smart_open urllib3"
    " win32api win32com win32process wheel"
    " joblib.memory joblib.parallel joblib.externals joblib.func_inspect"
    " numpy.ctypeslib numpy.distutils numpy.f2py numpy.lib.npyio numpy.lib._npyio_impl"
    " numpy.lib.format numpy.lib.utils numpy.lib._utils_impl numpy.testing numpy.compat"
    " pandas.core.computation pandas.io scipy.io scipy.weave"
    " torch._dynamo torch._inductor torch.cpp_extension torch.distributed torch.fx"
    " torch.hub torch.jit torch.multiprocessing torch.ops torch.package torch.serialization"
    " torch.testing torch.utils torch._appdirs torch._utils_internal torch.export torch._export"
)
DANGEROUS_MODULES = frozenset(_MODULES.split())

DANGEROUS_NAMES: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "codecs": "open lookup register",
        "collections": "namedtuple",
        "joblib": "load dump Memory Parallel delayed hash",
        "numpy": "DataSource _ufunc_reconstruct apply_along_axis fromfile fromfunction fromregex"
        " frompyfunc genfromtxt load loadtxt memmap piecewise save savetxt savez"
        " savez_compressed vectorize",
        "pandas": "eval read_pickle read_csv read_json read_sql read_html read_xml read_hdf"
        " HDFStore query to_pickle",
        "sklearn": "load_files fetch_openml fetch_file",
        "torch": "_import_dotted_name compile import_ir_module import_ir_module_from_buffer"
        " load save",
        "re": "Scanner",
        "enum": "EnumType EnumMeta",
        "dataclasses": "make_dataclass",
        "typing": "get_type_hints ForwardRef NamedTuple",
        "string": "Formatter",
        "copy": "copy deepcopy _reconstruct",
    }.items()
}

# Names in dangerous modules that return what they get; every TorchScript file calls them.
UNKNOWN_NAMES: dict[str, frozenset[str]] = {
    "torch.jit._pickle": frozenset(
        {
            "build_boollist",
            "build_doublelist",
            "build_intlist",
            "build_tensor_from_id",
            "build_tensorlist",
            "restore_type_tag",
        }
    ),
}
