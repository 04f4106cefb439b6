"""Names that mean harm, whether they are called or only mentioned.

These tables do not decide what passes (the allow-list does); they decide what is called
dangerous rather than unknown. So they need not be complete.
"""

from __future__ import annotations

__all__ = ["BY_VALUE_MODULES", "DANGEROUS_MODULES", "DANGEROUS_NAMES", "UNKNOWN_NAMES"]

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
    " torch._dynamo torch._inductor torch.cpp_extension torch.fx"
    " torch.hub torch.jit torch.multiprocessing torch.ops torch.package torch.serialization"
    " torch.testing torch.utils torch._appdirs torch._utils_internal torch.export torch._export"
    " torch._C._distributed_rpc torch._classes torch._custom_ops torch._functorch torch._library"
    " torch._ops torch.classes torch.distributed.benchmarks torch.distributed.checkpoint"
    " torch.distributed.distributed_c10d torch.distributed.elastic torch.distributed.launch"
    " torch.distributed.launcher torch.distributed.nn torch.distributed.rpc torch.distributed.run"
    " torch.distributed.pipeline torch.library torch.onnx torch.profiler torchgen torch.xpu"
    " torchaudio._extension torchvision._internally_replaced_utils torchvision.datasets"
    " torchvision.extension torchvision.io"
    # Other people's: templates, tasks, servers, compilers, notebooks, other serializers.
    " Cython asyncssh azure bottle botocore celery cherrypy cppyy django docker eventlet execnet"
    " falcon fastapi fire flask flask_script gevent google.cloud gradio gunicorn hydra"
    " importlib_metadata importlib_resources ipdb jinja2 jupyter_client jupyter_core kombu"
    " kubernetes llvmlite loky luigi mako mlflow mypy nbconvert nose notebook numba numexpr"
    " pathos paste pdbpp pluggy pluginbase ppft prefect pudb pyarrow.fs pyarrow.hdfs"
    " pyarrow.serialization pyflakes pyspark pyximport ray rpyc rq ruamel sagemaker"
    " salt scrapy selenium sqlalchemy srsly starlette streamlit supervisor tblib tornado"
    " tox traitlets triton twisted uvicorn uwsgi virtualenv wandb websocket websockets werkzeug"
    " xonsh yaml zmq zope"
    " accelerate.commands accelerate.launchers accelerate.utils.launch datasets.load"
    " datasets.packaged_modules datasets.utils diffusers.utils distributed dask.base"
    " dask.dataframe.io dask.distributed keras.saving keras.src.saving keras.utils"
    " keras.src.utils keras.src.layers.core.lambda_layer keras.layers.core.lambda_layer"
    " matplotlib.animation matplotlib.backends matplotlib.cbook matplotlib.dviread"
    " matplotlib.sphinxext matplotlib.style matplotlib.testing matplotlib.texmanager"
    " networkx.readwrite nltk.app nltk.data nltk.downloader nltk.internals nltk.toolbox"
    " omegaconf.omegaconf onnx.external_data_helper onnxruntime PIL.EpsImagePlugin PIL.ImageGrab"
    " PIL.ImageMath PIL.ImageShow pydantic.utils sentence_transformers.util"
    " sklearn.datasets sklearn.utils._testing sklearn.externals six statsmodels.datasets"
    " sympy.external sympy.parsing sympy.printing.preview sympy.utilities tensorflow.io"
    " tensorflow.python.eager tensorflow.python.framework.load_library"
    " tensorflow.python.lib.io tensorflow.python.ops.gen_io_ops tensorflow.python.ops.io_ops"
    " tensorflow.python.ops.script_ops tensorflow.python.platform tensorflow.python.saved_model"
    " tensorflow.python.util transformers.agents transformers.commands"
    " transformers.dynamic_module_utils transformers.pipelines transformers.tools"
    " transformers.utils.hub transformers.utils.import_utils ultralytics.engine.exporter"
    " ultralytics.hub ultralytics.utils.checks ultralytics.utils.downloads xgboost.tracker"
    " pytorch_lightning.cli pytorch_lightning.utilities.cloud_io lightning.app lightning_fabric.cli"
    " joblib._memmapping_reducer joblib.disk joblib.hashing joblib.logger joblib.pool"
    " joblib.test joblib.testing joblib._store_backends joblib._parallel_backends"
    " numpy.conftest numpy.core._methods numpy._core._methods numpy.lib._datasource"
    " numpy.lib.recfunctions numpy.ma.testutils numpy.ma.timer_comparison numpy.random._examples"
    " pandas._testing pandas.util pandas.compat pandas.core.computation pandas.core.generic"
    " pandas.plotting scipy._build_utils scipy._lib._testutils scipy.datasets scipy.misc"
    " fickling picklescan modelscan"
)
DANGEROUS_MODULES = frozenset(_MODULES.split())

DANGEROUS_NAMES: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "codecs": "open lookup register decode encode StreamReaderWriter",
        "gensim": "utils.unpickle utils.pickle",
        "h5py": "File",
        "keras": "Lambda load_model",
        "matplotlib": "rc_file use",
        "netCDF4": "Dataset",
        "PIL": "Image.open Image.core",
        "polars": "read_csv read_parquet",
        "pydantic": "ImportString",
        "spacy": "load util",
        "tables": "open_file",
        "tensorflow": "load_library load_op_library py_function numpy_function",
        "transformers": "pipeline",
        "types": "FunctionType CodeType",
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

# Names in dangerous modules that return what they get or keep it; TorchScript files call some.
_BY_VALUE = frozenset(
    [
        "_builtin_type",
        "_cell_set",
        "_class_setstate",
        "_create_array",
        "_create_cell",
        "_create_code",
        "_create_dtypemeta",
        "_create_function",
        "_create_namedtuple",
        "_create_type",
        "_create_weakproxy",
        "_create_weakref",
        "_fill_function",
        "_function_setstate",
        "_gen_ellipsis",
        "_gen_not_implemented",
        "_get_bases",
        "_get_dataclass_field_type_sentinel",
        "_import_module",
        "_load_type",
        "_lookup_class_or_track",
        "_make_cell",
        "_make_dict_items",
        "_make_dict_keys",
        "_make_dict_values",
        "_make_empty_cell",
        "_make_function",
        "_make_skel_func",
        "_make_skeleton_class",
        "_make_skeleton_enum",
        "_module_map",
        "_rehydrate_skeleton_class",
        "subimport",
    ]
)
BY_VALUE_MODULES = frozenset(
    {
        "cloudpickle",
        "cloudpickle.cloudpickle",
        "cloudpickle.cloudpickle_fast",
        "dill._dill",
        "dill.dill",
        "joblib.externals.cloudpickle.cloudpickle",
        "joblib.externals.cloudpickle.cloudpickle_fast",
        "numba.cloudpickle.cloudpickle",
        "numba.cloudpickle.cloudpickle_fast",
        "pyspark.cloudpickle.cloudpickle",
        "pyspark.cloudpickle.cloudpickle_fast",
    }
)
"""Modules of cloudpickle and dill, by which a pickle carries code; see ``_by_value``."""

UNKNOWN_NAMES: dict[str, frozenset[str]] = {
    # Iterators over what they are given: they call nothing.
    "itertools": frozenset(
        {
            *("batched", "chain", "combinations", "combinations_with_replacement", "compress"),
            *("count", "cycle", "islice", "pairwise", "permutations", "product", "repeat"),
            "zip_longest",
        }
    ),
    # What cloudpickle and dill write for code: see ``_by_value``.
    **dict.fromkeys(BY_VALUE_MODULES, _BY_VALUE),
    # Calls a method of what was unpickled before, of which every name was judged.
    "numba.core.serialize": frozenset({"custom_rebuild"}),
    "numba.core.registry": frozenset({"CPUDispatcher"}),
    # What loads data, and runs nothing before it is asked to.
    "torch.utils.data.dataloader": frozenset({"DataLoader"}),
    "torch.utils.data._utils.collate": frozenset({"default_collate", "default_convert"}),
    # dill's word for the dict of the program.
    "__builtin__": frozenset({"__main__", "enumerate", "iter", "reversed", "zip"}),
    "builtins": frozenset({"enumerate", "iter", "reversed", "zip", "__main__"}),
    "dill": frozenset({"_dill"}),
    "dataclasses": frozenset({"Field", "_DataclassParams", "_MISSING_TYPE"}),
    "_collections": frozenset({"_tuplegetter"}),
    # Signatures are data, though nothing that models need.
    "inspect": frozenset({"Parameter", "Signature", "_ParameterKind", "_empty"}),
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
