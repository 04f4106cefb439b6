"""The allow-list that is written by hand: module -> names. Exact names; there are no patterns.

To put a name here, answer for it: a class must do no harm when it is called with arguments of its
shape (``_pickle_shapes``) and its instances are given states as pickles have them, as long as
whatever is inside is itself on the list. What turns objects into arrays, numbers or texts does harm
with objects that say they are one, so that it gets constants only. What needs more of a check is in
``_rebuild``. What numpy, scipy and scikit-learn have too much of is in ``allow-list.txt``, which
``scripts/allow-list`` writes.
"""

from __future__ import annotations

__all__ = ["CONSTRUCTORS", "DATA", "NUMBERS"]

_EXCEPTIONS = (
    "ArithmeticError AssertionError AttributeError BaseException BufferError EOFError Exception"
    " FileExistsError FileNotFoundError FloatingPointError ImportError IndexError"
    " IsADirectoryError KeyError LookupError MemoryError ModuleNotFoundError NameError"
    " NotADirectoryError NotImplementedError OSError OverflowError PermissionError RecursionError"
    " RuntimeError RuntimeWarning StopIteration TimeoutError TypeError UnicodeDecodeError"
    " UnicodeEncodeError UserWarning ValueError Warning ZeroDivisionError"
)
_PATHS = "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath"
_NUMPY_SCALARS = (
    "bool bool_ byte bytes_ cdouble clongdouble complex128 complex256 complex64 csingle datetime64"
    " double float128 float16 float32 float64 float_ half int16 int32 int64 int8 intc intp int_"
    " long longdouble longlong object_ short single str_ string_ timedelta64 ubyte uint uint16"
    " uint32 uint64 uint8 uintc uintp ulong ulonglong unicode_ ushort void"
)
_NUMPY_KINDS = (
    "character complexfloating flexible floating generic inexact integer number signedinteger"
    " unsignedinteger"
)
_NUMPY_DTYPES = (
    "BoolDType ByteDType BytesDType CLongDoubleDType Complex128DType Complex64DType"
    " DateTime64DType Float16DType Float32DType Float64DType Int16DType Int32DType Int64DType"
    " Int8DType IntDType LongDType LongDoubleDType LongLongDType ObjectDType ShortDType StrDType"
    " StringDType TimeDelta64DType UByteDType UInt16DType UInt32DType UInt64DType UInt8DType"
    " UIntDType ULongDType ULongLongDType UShortDType VoidDType"
)
_TORCH_STORAGES = (
    "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage"
    " DoubleStorage FloatStorage HalfStorage IntStorage LongStorage QInt32Storage QInt8Storage"
    " QUInt2x4Storage QUInt4x2Storage QUInt8Storage ShortStorage"
)
_TORCH_DTYPES = (
    "bfloat16 bits16 bits1x8 bits2x4 bits4x2 bits8 bool cdouble cfloat chalf complex128 complex32"
    " complex64 double float float16 float32 float4_e2m1fn_x2 float64 float8_e4m3fn"
    " float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu half int int1 int16 int2 int3"
    " int32 int4 int5 int6 int64 int7 int8 long qint32 qint8 quint2x4 quint4x2 quint8 short uint1"
    " uint16 uint2 uint3 uint32 uint4 uint5 uint6 uint64 uint7 uint8"
)
_TORCH_ENUMS = (
    "channels_last channels_last_3d contiguous_format jagged per_channel_affine"
    " per_channel_affine_float_qparams per_channel_symmetric per_tensor_affine"
    " per_tensor_symmetric preserve_format sparse_bsc sparse_bsr sparse_coo sparse_csc sparse_csr"
    " strided"
)

# Shape of the arguments -> module -> names.
CONSTRUCTORS: dict[str, dict[str, str]] = {
    "none": {
        "argparse": "Namespace",
        "builtins": "object",
        "collections": "ChainMap UserDict UserList UserString",
        "joblib.numpy_pickle": "NumpyArrayWrapper",
        "numpy.ma.core": "MaskedConstant",
        "numpy.random._generator": "Generator",
        "numpy.random._mt19937": "MT19937",
        "numpy.random._pcg64": "PCG64 PCG64DXSM",
        "numpy.random._philox": "Philox",
        "numpy.random._sfc64": "SFC64",
        "numpy.random.bit_generator": "SeedSequence SeedlessSeedSequence",
        "numpy.random.mtrand": "RandomState",
        "random": "Random",
        "torch": _TORCH_STORAGES,
        "torch.cuda": _TORCH_STORAGES,
        "torch.storage": "TypedStorage UntypedStorage",
        "types": "SimpleNamespace",
    },
    "constants": {
        "builtins": "bool bytearray bytes complex float int range slice str",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "pathlib": _PATHS,
        "pathlib._local": _PATHS,
        "time": "struct_time",
        "torch": "Size device",
        "uuid": "SafeUUID UUID",
    },
    "containers": {
        "array": "array",
        "builtins": "dict frozenset list set tuple",
        "collections": "Counter OrderedDict deque",
    },
    # They keep their arguments, and that is all.
    "anything": {"builtins": _EXCEPTIONS},
    "dates": {"datetime": "date datetime time timedelta timezone tzinfo"},
    "dtype": {"numpy": "dtype"},
    "factory": {"collections": "defaultdict"},
}

# They may stand somewhere, as the class or the parameter of something else, but not be called.
DATA: dict[str, str] = {
    # gensim's models name the function that they began their vectors with.
    "builtins": "Ellipsis NotImplemented hash",
    # Calling one converts any object to an array.
    "numpy": f"{_NUMPY_KINDS} matrix ndarray newaxis recarray record {_NUMPY_SCALARS}",
    "numpy.core.records": "recarray record",
    "numpy._core.records": "recarray record",
    "numpy.rec": "recarray record",
    "numpy.matrixlib.defmatrix": "matrix",
    # Calling one gives a dtype whose state nobody would check.
    "numpy.dtypes": _NUMPY_DTYPES,
    "numpy.ma": "MaskedArray",
    "numpy.ma.core": "MaskedArray masked",
    "torch": f"Tensor {_TORCH_DTYPES} {_TORCH_ENUMS}",
    "torch._tensor": "Tensor",
    "torch.nn.parameter": "Buffer Parameter",
    "zoneinfo": "ZoneInfo",
}

# The compiled classes of ``allow-list.txt`` that take numbers and arrays; all others take nothing.
NUMBERS = frozenset(
    {
        "sklearn._loss._loss",
        "sklearn.linear_model.sgd_fast",
        "sklearn.neighbors.quad_tree",
        "sklearn.linear_model._sgd_fast",
        "sklearn.neighbors._quad_tree",
        "sklearn.tree._criterion",
        "sklearn.tree._tree",
    }
)
