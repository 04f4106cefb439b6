"""What must not be written down: secrets in arguments and in variables.

Two answers of different kinds. Variables are recorded by an allow-list, so that a secret under a
new name stays out. Arguments are recorded unless they look like a secret; what looks like one and
is none is lost, which is the lesser harm.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "REDACTED",
    "choose_environment",
    "clean_environment",
    "redact_arguments",
    "redact_parameter",
    "redact_text",
    "strip_credentials",
]

REDACTED = "[redacted]"

# What changes numbers, their order, or what runs; nothing else is recorded.
_RECORDED = frozenset(
    """
    ACCELERATE_MIXED_PRECISION ATEN_CPU_CAPABILITY BLIS_NUM_THREADS CUBLAS_WORKSPACE_CONFIG
    CUDA_DEVICE_MAX_CONNECTIONS CUDA_DEVICE_ORDER CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING
    CUDA_VISIBLE_DEVICES CUDNN_DETERMINISTIC DNNL_MAX_CPU_ISA FLAGS_cudnn_deterministic
    GOMP_CPU_AFFINITY GOTO_NUM_THREADS HF_DATASETS_OFFLINE HF_HUB_OFFLINE HIP_VISIBLE_DEVICES
    JAX_DEFAULT_MATMUL_PRECISION JAX_ENABLE_X64 JAX_PLATFORMS KMP_AFFINITY KMP_BLOCKTIME
    KMP_DETERMINISTIC_REDUCTION LANG LC_ALL LC_NUMERIC LD_LIBRARY_PATH LD_PRELOAD LOCAL_RANK
    LOCAL_WORLD_SIZE MALLOC_ARENA_MAX MKL_CBWR MKL_DYNAMIC MKL_ENABLE_INSTRUCTIONS MKL_NUM_THREADS
    MKL_SERVICE_FORCE_INTEL MKL_THREADING_LAYER NCCL_ALGO NCCL_PROTO NUMBA_NUM_THREADS
    NUMEXPR_MAX_THREADS NUMEXPR_NUM_THREADS NVIDIA_TF32_OVERRIDE NVIDIA_VISIBLE_DEVICES
    OMP_DYNAMIC OMP_NUM_THREADS OMP_PLACES OMP_PROC_BIND OMP_SCHEDULE OMP_THREAD_LIMIT
    OMP_WAIT_POLICY ONEDNN_DEFAULT_FPMATH_MODE ONEDNN_MAX_CPU_ISA OPENBLAS_CORETYPE
    OPENBLAS_NUM_THREADS POLARS_MAX_THREADS PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONHOME
    PYTHONNOUSERSITE PYTHONOPTIMIZE PYTHONPATH PYTHONSAFEPATH PYTHONUTF8
    PYTORCH_CUDA_ALLOC_CONF RANK RAYON_NUM_THREADS ROCR_VISIBLE_DEVICES SOURCE_DATE_EPOCH
    TF_CUDNN_DETERMINISTIC TF_DETERMINISTIC_OPS TF_ENABLE_ONEDNN_OPTS TOKENIZERS_PARALLELISM
    TORCH_ALLOW_TF32_CUBLAS_OVERRIDE TORCH_CUDNN_V8_API_DISABLED TRANSFORMERS_OFFLINE TZ
    VECLIB_MAXIMUM_THREADS WORLD_SIZE XLA_FLAGS
    """.split()  # noqa: SIM905 - eighty names are easier to read like this
)

# Words of a name, as ``--hf-token``, ``HF_TOKEN``, ``api.key`` and ``apiKey`` have them.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {
        "apikey",
        "auth",
        "bearer",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "pat",
        "pwd",
        "secret",
        "secrets",
        "authtoken",
        "accesstoken",
        "secretkey",
    }
)
_SECRET_KEYS = frozenset({"access", "account", "api", "auth", "private", "secret", "signing"})
# ``--pad-token '<pad>'`` and ``--max-token 512`` are no secrets.
_PLAIN_TOKENS = frozenset(
    """
    additional begin bos cls decoder end eos first forced image last mask max min next num pad per
    prompt sep special start stop sub suppress tool unk user
    """.split()  # noqa: SIM905
)
_ASSIGNED = re.compile(r"([+~]{0,2}-{0,2}[A-Za-z_][\w.\-/]*)=(.+)", re.DOTALL)
_NO_WORD = re.compile(r"[^\w.\-/]", re.ASCII)
_OPTION = re.compile(r"--?[A-Za-z][\w.\-]*")

# Each is a token by its form alone. (?<![...]) keeps ``risk-...`` from being read as ``sk-...``.
_BEGIN = r"(?<![A-Za-z0-9])"
_TOKENS = re.compile(
    "|".join(
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*-----|\Z)",
            _BEGIN + r"gh[pousr]_[A-Za-z0-9]{16,}",
            _BEGIN + r"github_pat_[A-Za-z0-9_]{16,}",
            _BEGIN + r"gl(?:pat|ptt|dt|rt|cbt|ft|soat)-[A-Za-z0-9_\-.]{16,}",
            _BEGIN + r"hf_[A-Za-z0-9]{16,}",
            _BEGIN + r"api_org_[A-Za-z0-9]{16,}",
            _BEGIN + r"sk-(?=[A-Za-z_\-]{0,99}[0-9])(?=[a-z0-9_\-]{0,99}[A-Z])[A-Za-z0-9_\-]{16,}",
            _BEGIN + r"sk-(?:ant|proj|or|svcacct|admin)-[A-Za-z0-9_\-]{12,}",
            _BEGIN + r"sk-[A-Za-z0-9]{32,}",
            _BEGIN + r"[srp]k_(?:live|test)_[A-Za-z0-9]{12,}",
            _BEGIN + r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])",
            _BEGIN + r"AIza[A-Za-z0-9_\-]{30,}",
            _BEGIN + r"ya29\.[A-Za-z0-9_\-]{16,}",
            _BEGIN + r"xox[abeoprs]-[A-Za-z0-9\-]{10,}",
            _BEGIN + r"pypi-AgEI[A-Za-z0-9_\-]{16,}",
            _BEGIN + r"npm_[A-Za-z0-9]{30,}",
            _BEGIN + r"dckr_pat_[A-Za-z0-9_\-]{16,}",
            _BEGIN + r"dapi[0-9a-f]{32}",
            _BEGIN + r"hv[sb]\.[A-Za-z0-9_\-]{16,}",
            _BEGIN + r"AGE-SECRET-KEY-1[A-Z0-9]{16,}",
            _BEGIN + r"eyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-]{4,}\.[A-Za-z0-9_\-]*",
        )
    )
)
_BEARER = re.compile(r"\b(Bearer|Basic|Token)( +)([A-Za-z0-9_\-.~+/=]{8,})", re.IGNORECASE)
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{0,31}://)[^/?#\s'\"]*@")
_QUERY = re.compile(
    r"([?&;#](?:[\w.\-]{0,64}(?:token|secret|passw(?:or)?d|signature|credential|api[_\-]?key)[\w.\-]{0,64}"
    r"|sig|key|auth|code)=)[^&#\s'\"]+",
    re.IGNORECASE,
)
# ``Password=x;``, ``"api_key": "x"`` and ``os.environ['HF_TOKEN']='x'``, inside any argument.
_INSIDE = re.compile(
    r"((?:passw(?:or)?d|passphrase|secret|(?:access|account|api|private|secret)[_\-]?key"
    r"|(?:access|api|auth|bearer|github|gitlab|hf|hub|refresh|secret|session)[_\-]?token)"
    r"['\"\]\\]{0,4}\s{0,3}[:=]\s{0,3}['\"\\]{0,2})[^\s'\"&;,})\\]+",
    re.IGNORECASE,
)
# What a name that ends in ``key`` may hold besides the name of a column or a file.
_KEY_VALUE = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9+/_\-]{20,}={0,2}")
_USER_OPTIONS = frozenset({"-u", "--user", "--proxy-user"})
_USER_VALUE = re.compile(r"(?![0-9]+:[0-9]+\Z)[^:/\s]+:\S+")
_RUN = re.compile(r"[A-Za-z0-9+/_\-]{24,}={0,2}")
_DIGEST_NAME = re.compile(
    r"(?:sha(?:1|224|256|384|512)|md5|blake2[bs]|blake3|h1)[-:=]", re.IGNORECASE
)
# A random base64 string of 24 characters has about 4.2 bits a character and changes between upper
# case, lower case and digits at 60 % of its places; names of files and models do at 30 % and less.
_MIN_ENTROPY_BITS = 3.6
_MIN_CHANGES_RATIO = 0.4

_REMOVED_NAMES = frozenset(
    """
    ACTIONS_CACHE_URL ACTIONS_RESULTS_URL ACTIONS_RUNTIME_URL DBUS_SESSION_BUS_ADDRESS
    DOCKER_AUTH_CONFIG DOCKER_CONFIG GIT_ASKPASS GNOME_KEYRING_CONTROL GPG_AGENT_INFO KRB5CCNAME
    KUBECONFIG MLFLOW_TRACKING_USERNAME NETRC PGPASSFILE SSH_AGENT_PID SSH_ASKPASS SSH_AUTH_SOCK
    SUDO_ASKPASS
    """.split()  # noqa: SIM905
)
_REMOVED_PREFIXES = (
    "ACTIONS_ID_TOKEN_",
    "AWS_",
    "AZURE_",
    "COSIGN_",
    "SIGSTORE_",
    "VAULT_",
    "WEIGHBRIDGE_",
)
_REMOVED_FORM = re.compile(
    r"(?:\A|_)(?:TOKENS?|JWT|PAT|PIN|KEY|KEYS|APIKEY|CREDENTIALS?|PWORD|PW|PASS)(?:\Z|_)"
    r"|SECRET|PASSW|PASSPHRASE|CREDENTIAL|APIKEY|TOKEN\Z|(?:\A|_)AUTH\Z|_PWD\Z"
)


def choose_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are recorded: those that change numbers or what runs.

    An allow-list of whole names; a value that looks like a secret all the same is redacted.
    """
    return {name: redact_text(environ[name]) for name in sorted(_RECORDED & environ.keys())}


def clean_environment(
    environ: Mapping[str, str], *, keep: Collection[str] = ()
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what a step is started with, and the names of what was taken away, sorted.

    Taken away are agents' sockets, tokens, passwords and keys, by their names (``*_TOKEN``,
    ``*SECRET*``, ``*_KEY``, ``AWS_*``, ``ACTIONS_ID_TOKEN_*``, ``WEIGHBRIDGE_*``, ...) and by
    values that have the form of a token or of a URL with a password.

    Args:
        environ: What the runner has.
        keep: Names that the step needs and the user allows, such as ``HF_TOKEN``.
    """
    removed = tuple(
        sorted(
            name
            for name, value in environ.items()
            if name not in keep and (_is_removed(name) or _has_token(value))
        )
    )
    gone = frozenset(removed)
    return {name: value for name, value in environ.items() if name not in gone}, removed


def redact_arguments(argv: Sequence[str]) -> list[str]:
    """Return the arguments with ``[redacted]`` in place of what looks like a secret.

    These are: what follows or is assigned to a name that says so (``--token X``, ``--api-key=X``,
    ``HF_TOKEN=X``), known forms of tokens, what stands before ``@`` in a URL, and long strings that
    look random. Paths, hexadecimal digests, identifiers of commits and numbers stay.
    """
    redacted: list[str] = []
    option = ""
    for argument in argv:
        if option and not argument.startswith("--") and _is_secret(option, argument):
            redacted.append(REDACTED)
            option = ""
            continue
        option = argument if _OPTION.fullmatch(argument) else ""
        redacted.append(_redact_argument(argument))
    return redacted


def redact_parameter(name: str, value: str) -> str:
    """Return a parameter's value without secrets, also if its name says that it is one."""
    plain = _NO_WORD.sub("_", name)
    return redact_arguments([f"_{plain}={value}"])[0].partition("=")[2]


def redact_text(text: str) -> str:
    """Return ``text`` with ``[redacted]`` in place of what has the form of a secret."""
    known = _TOKENS.sub(REDACTED, text)
    known = _BEARER.sub(rf"\1\2{REDACTED}", known)
    known = _USERINFO.sub(rf"\1{REDACTED}@", known)
    known = _QUERY.sub(rf"\1{REDACTED}", known)
    known = _INSIDE.sub(rf"\1{REDACTED}", known)
    return _RUN.sub(_redact_run, known)


def strip_credentials(url: str) -> str:
    """Return a URL without user, password, query and fragment; ``ssh`` keeps its user.

    A fragment or a query of a remote may be a token. ``git@host:path`` becomes ``ssh://``, an
    absolute path becomes ``file://``; what is neither becomes empty.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _strip_no_scheme(url)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*", scheme):
        return ""
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    keeps_user = scheme.lower().rpartition("+")[2] == "ssh"
    name = user.partition(":")[0] if keeps_user else ""
    return f"{scheme}://{name}{'@' if name else ''}{host}{slash}{path}"


def _strip_no_scheme(url: str) -> str:
    if url.startswith("/"):
        return f"file://{url}"
    match = re.fullmatch(r"(?:([\w.\-]+)(?::[^@/]*)?@)?([\w.\-]+):(?!:)([^?#]+)", url)
    if not match:
        return ""
    user, host, path = match.groups()
    return f"ssh://{user + '@' if user else ''}{host}/{path.lstrip('/')}"


def _redact_argument(argument: str) -> str:
    assigned = _ASSIGNED.fullmatch(argument)
    if assigned and _is_secret(assigned[1], assigned[2]):
        return f"{assigned[1]}={REDACTED}"
    return redact_text(argument)


def _is_secret(name: str, value: str) -> bool:
    if name in _USER_OPTIONS:
        return bool(_USER_VALUE.fullmatch(value))
    if _is_secret_name(name):
        return True
    return name.lower().endswith("key") and bool(_KEY_VALUE.fullmatch(value))


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    before, last = (["", *words])[-2:]
    if last == "token":
        return before not in _PLAIN_TOKENS and not _PLAIN_TOKENS & set(words[-3:-1])
    if last == "key":
        return before in _SECRET_KEYS
    return last in _SECRET_WORDS or last.endswith(("password", "passwd", "secret"))


def _is_removed(name: str) -> bool:
    upper = name.upper()
    return (
        upper in _REMOVED_NAMES
        or upper.startswith(_REMOVED_PREFIXES)
        or bool(_REMOVED_FORM.search(upper))
    )


def _has_token(value: str) -> bool:
    if _TOKENS.search(value):
        return True
    return any(":" in found[0].partition("://")[2] for found in _USERINFO.finditer(value))


def _redact_run(match: re.Match[str]) -> str:
    text = match[0]
    before = match.string[max(0, match.start() - 12) : match.start()]
    named = [found for found in _DIGEST_NAME.finditer(before) if found.end() == len(before)]
    if named or _DIGEST_NAME.match(text):
        return text
    return REDACTED if _is_random(text.rstrip("=")) else text


def _is_random(text: str) -> bool:
    """Tell whether a string looks drawn by lot; hexadecimal ones are digests far more often."""
    kinds = [_kind(char) for char in text]
    if not {"upper", "lower", "digit"} <= set(kinds):
        return False
    pairs = [pair for pair in pairwise(kinds) if "mark" not in pair]
    changes = sum(a != b for a, b in pairs)
    counts = Counter(text)
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    return changes >= _MIN_CHANGES_RATIO * len(pairs) and entropy >= _MIN_ENTROPY_BITS


def _kind(char: str) -> str:
    if char.isdigit():
        return "digit"
    if char.isupper():
        return "upper"
    return "lower" if char.islower() else "mark"
