"""The allow-list that is written by hand, third part: values of the standard library.

What is said in ``_allow_names`` holds here too. Results of system calls and enumerations are in
modules that are otherwise dangerous: the exact class counts, and it gets constants only.
"""

from __future__ import annotations

__all__ = ["STANDARD_CONSTRUCTORS", "STANDARD_DATA"]

_URLS = "DefragResult DefragResultBytes ParseResult ParseResultBytes SplitResult SplitResultBytes"
_RESULTS = "stat_result statvfs_result terminal_size times_result uname_result waitid_result"
_ERRORS = (
    "BaseExceptionGroup BlockingIOError BrokenPipeError BytesWarning ChildProcessError"
    " ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError"
    " DeprecationWarning EncodingWarning EnvironmentError ExceptionGroup FutureWarning"
    " GeneratorExit IOError ImportWarning IndentationError InterruptedError KeyboardInterrupt"
    " PendingDeprecationWarning PermissionError ProcessLookupError ReferenceError ResourceWarning"
    " StopAsyncIteration SyntaxError SyntaxWarning SystemError SystemExit TabError"
    " UnboundLocalError UnicodeError UnicodeTranslateError UnicodeWarning"
)
_SIGNALS = (
    "Clamped ConversionSyntax DecimalException DivisionByZero DivisionImpossible"
    " DivisionUndefined FloatOperation Inexact InvalidContext InvalidOperation Overflow Rounded"
    " Subnormal Underflow"
)

# Shape of the arguments -> module -> names.
STANDARD_CONSTRUCTORS: dict[str, dict[str, str]] = {
    "anything": {"builtins": _ERRORS},
    "constants": {
        "difflib": "Match",
        "http": "HTTPMethod HTTPStatus",
        "ipaddress": "IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network",
        "inspect": "_ParameterKind",
        "json.decoder": "JSONDecodeError",
        "os": _RESULTS,
        "plistlib": "UID",
        "posix": _RESULTS,
        "re": "RegexFlag",
        "signal": "Handlers Sigmasks Signals",
        "statistics": "LinearRegression NormalDist",
        "tokenize": "TokenInfo",
        "urllib.parse": _URLS,
        "zlib": "error",
    },
    "instance": {
        "csv": "Dialect excel excel_tab unix_dialect",
        "difflib": "SequenceMatcher",
        "email.message": "EmailMessage Message",
        "graphlib": "TopologicalSorter _NodeInfo",
        "http.cookies": "SimpleCookie",
        "optparse": "Values",
        "string": "Template",
        "textwrap": "TextWrapper",
        "xml.etree.ElementTree": "Element ElementTree",
    },
    "values": {"inspect": "Parameter Signature"},
}

# They may stand somewhere, but not be called.
STANDARD_DATA: dict[str, str] = {
    "_operator": "or_",
    "decimal": f"ROUND_HALF_EVEN {_SIGNALS}",
    "inspect": "_empty",
    "types": "NoneType",
    "typing": "AbstractSet AnyStr Annotated AsyncIterable AsyncIterator Awaitable ByteString"
    " ChainMap ClassVar Collection Container Coroutine Counter DefaultDict Deque Final FrozenSet"
    " Generator Generic Hashable ItemsView Iterable Iterator KeysView Literal Mapping MappingView"
    " Match MutableMapping MutableSequence MutableSet NamedTuple Never NoReturn OrderedDict Pattern"
    " Protocol Reversible Self Sequence Sized SupportsFloat SupportsInt Text Type TypeVar"
    " TypedDict ValuesView",
}
