"""Requirements: packages that are fetched from elsewhere than an index everybody knows."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from weighbridge.scanning._documents._document import show
from weighbridge.scanning._notes import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Location
    from weighbridge.scanning._notes import Note

__all__ = ["check_requirements", "is_requirements", "judge_requirement"]

_MAX_LINES = 20_000
_MAX_FINDINGS = 50
_FILE = re.compile(
    r"(?:.*[-_.])?(?:requirements|constraints|reqs)(?:[-_.].*)?\.(?:txt|in|pip)|requirements/.*\.txt"
    r"|pip\.conf|pip\.ini|\.pypirc|setup\.cfg|pipfile|pyproject\.toml|uv\.toml|environment\.ya?ml"
    r"|\.condarc|\.npmrc|uv\.lock|poetry\.lock|pipfile\.lock|dependency_links\.txt|requires\.txt"
)
_INDEX_HOSTS_TEXT = (
    "pypi.org pypi.python.org files.pythonhosted.org test.pypi.org download.pytorch.org"
    " pypi.nvidia.com pypi.ngc.nvidia.com data.pyg.org storage.googleapis.com"
    " abetlen.github.io pypi.anaconda.org pypi.tuna.tsinghua.edu.cn mirrors.aliyun.com"
    " pypi.mirrors.ustc.edu.cn mirror.baidu.com mirrors.cloud.tencent.com registry.npmjs.org"
    " registry.yarnpkg.com www.piwheels.org piwheels.org wheels.vllm.ai dl.fbaipublicfiles.com"
    " www.paddlepaddle.org.cn pkg.pytorch.org flashinfer.ai docs.vllm.ai"
)
_INDEX_HOSTS = frozenset(_INDEX_HOSTS_TEXT.split()) - {"storage.googleapis.com"}
_INDEX_ADDRESSES = (
    "https://storage.googleapis.com/jax-releases/",
    "https://storage.googleapis.com/libtpu-releases/",
    "https://storage.googleapis.com/tensorflow/",
)
# Organisations whose repositories are what everybody installs from; such a line is only noted.
_KNOWN_PROJECTS = re.compile(
    r"(?:git\+)?(?:https|ssh|git)://(?:git@|www\.)?(?:github\.com|huggingface\.co|codeload\.github\.com)"
    r"/(?:huggingface|pytorch|openai|facebookresearch|nvidia|nvidia-nemo|google|google-research"
    r"|google-deepmind|microsoft|tensorflow|keras-team|scikit-learn|numpy|scipy|pandas-dev|explosion"
    r"|dao-ailab|hazyresearch|vllm-project|lightning-ai|pytorchlightning|ultralytics|salesforce|apple"
    r"|deepmind|allenai|modelscope|state-spaces|haotian-liu|stanfordnlp|rwightman|unslothai|mlfoundations"
    r"|open-mmlab|casper-hansen|autogptq|panqiwei|ggerganov|ggml-org|abetlen|speechbrain|espnet|coqui-ai"
    r"|rapidsai|dmlc|onnx|mlflow|iterative|gradio-app|bitsandbytes-foundation|timdettmers|jax-ml"
    r"|thudm|qwenlm|deepseek-ai|mistralai|cohere-ai|anthropics|databricks|mosaicml|eleutherai"
    r"|python-trio|mypyc|bigscience-workshop|laion-ai|compvis|stability-ai|patrick-kidger|suno-ai|snakers4)/",
    re.IGNORECASE,
)
_SPACY = re.compile(r"https://github\.com/explosion/[\w-]+/releases/download/")
_FILES = re.compile(r"https://files\.pythonhosted\.org/|https://download\.pytorch\.org/")
_OPTION = re.compile(
    r"""(?:^|[\s"'\[,])(?:--(extra-index-url|index-url|find-links|trusted-host|proxy|cert)|-([if])\b)"""
    r"""[ \t=]+["']?([^\s"',\]]+)"""
)
_SETTING = re.compile(
    r"^\s*(extra[-_]index[-_]url|index[-_]url|find[-_]links|trusted[-_]host|dependency_links|registry"
    r"|repository|verify_ssl|strict-ssl)\s*[=:]\s*[\"'\[]*\s*([^\s\"',\]]+)",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?:(?:git|hg|svn|bzr)\+[a-z+]+|https?|ftp|git|ssh)://[^\s\"',;\])]+|git@[\w.-]+:[^\s\"',]+"
)
_LOCAL = re.compile(
    r"^\s*(?:-e|--editable)\b|\bfile:|^\s*\.{0,2}[\\/]|@\s*\.{0,2}/|^\s*[\w./-]+\.(?:whl|tar\.gz|zip)\s*$"
)
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
# Names that were registered to imitate or to replace others; each has been reported.
_POPULAR_TEXT = (
    "accelerate anthropic bitsandbytes colorama cryptography datasets deepseek diffusers django"
    " evaluate fastapi gradio huggingface-hub joblib jellyfish langchain lightgbm lightning"
    " matplotlib mlflow networkx nltk onnxruntime openai opencv-python pandas pillow protobuf"
    " pydantic pytorch-lightning requests safetensors scikit-learn selenium sentence-transformers"
    " sentencepiece sqlalchemy streamlit tensorflow tensorboard tiktoken tokenizers torchaudio"
    " torchvision transformers ultralytics urllib3 xgboost xformers beautifulsoup4 setuptools"
)
_POPULAR = frozenset(_POPULAR_TEXT.split())
_SQUATTED_CHARACTERS = 6
# Names that were used to imitate or to replace others, and are further away from them.
_CONFUSING = frozenset(
    {
        "torchtriton",
        "huggingface-cli",
        "python3-dateutil",
        "deepseekai",
        "pytorch-torch",
        "py-torch",
    }
)
# Real ones, one letter away from another.
_REAL_NEIGHBOURS = frozenset({"beautifulsoup", "tensorflow1", "tensorboardx", "urllib", "urllib2"})
# Where an address in a configuration is a page about the project and nothing that is fetched.
_PAGES = re.compile(
    r"^\s*[\"']?(?:url|home[-_ ]?page|documentation|repository|source|download[-_]url"
    r"|project[-_]urls?"
    r"|bug[-_ ]?tracker|issues?|changelog|docs|author|description|license|classifiers|funding)",
    re.IGNORECASE,
)
_CONFIGURATIONS = ("pyproject.toml", "setup.cfg", "pipfile", "uv.toml")
_SOURCE = re.compile(r"^\s*url\s*=\s*[\"'](https?://[^\"']+)")


def is_requirements(name: str, path: str) -> bool:
    """Return whether a name, in small letters, is one that installers of packages read."""
    return _FILE.fullmatch(name) is not None or (
        "/requirements/" in f"/{path}" and name.endswith(".txt")
    )


def check_requirements(text: str, name: str, at: Location) -> Iterator[Note]:
    """Yield what a list of packages, or a configuration of their installers, fetches from where."""
    count = 0
    judge = _judge_lock if name.endswith(".lock") else judge_requirement
    if name.endswith(_CONFIGURATIONS):
        judge = _judge_line
    for number, line in enumerate(_list_lines(text, name)[:_MAX_LINES], 1):
        bare = line.strip()
        if not bare or bare.startswith(("#", "//", ";")):
            continue
        for note in judge(line, at, number):
            count += 1
            yield note
        if count >= _MAX_FINDINGS:
            return


def _list_lines(text: str, name: str) -> list[str]:
    """Return lines with continuations joined; of ``pyproject.toml``, only what is fetched."""
    if name == "pyproject.toml":
        try:
            return _list_project(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError):
            pass
    return re.sub(r"\\\r?\n", " ", text).splitlines()


def _list_project(document: dict[str, object]) -> list[str]:
    """Return lines that stand for the requirements and sources of a ``pyproject.toml``."""
    lines: list[str] = []
    pending: list[tuple[str, object]] = [
        (key, document.get(key)) for key in ("project", "build-system", "tool", "dependency-groups")
    ]
    while pending and len(lines) < _MAX_LINES:
        key, value = pending.pop()
        if isinstance(value, dict):
            pending.extend(
                (str(part), item) for part, item in value.items() if not _PAGES.match(str(part))
            )
            addresses = (("x @ ", value.get("url")), ("git+", value.get("git")))
            lines.extend(f"{way}{one}" for way, one in addresses if isinstance(one, str))
        elif isinstance(value, list):
            pending.extend((key, item) for item in value)
        elif isinstance(value, str) and ("@" in value or "index" in key or "find-links" in key):
            lines.append(f"{key} = {value}" if "index" in key or "links" in key else value)
    return lines


def _judge_line(line: str, at: Location, number: int) -> Iterator[Note]:
    """Judge a line of a configuration: pages about a project are no sources of packages."""
    if (source := _SOURCE.match(line)) and at.file.lower().endswith("pipfile"):
        yield from _judge_setting("index-url", source[1], at, number)
        return
    if _PAGES.match(line) and "git+" not in line:
        return
    match = _SETTING.search(line)
    if match:
        yield from _judge_setting(match[1].lower().replace("_", "-"), match[2], at, number)
        return
    if "git+" in line or re.search(r"\bgit\s*=|@\s*\w+://|^\s*url\s*=", line) or "--" in line:
        yield from judge_requirement(line, at, number)


def _judge_lock(line: str, at: Location, number: int) -> Iterator[Note]:
    """Judge a line of a lock file: every address in it is where a package was found."""
    for match in _URL.finditer(line[:4_000]):
        if not _is_known_index(match[0]) and not _KNOWN_PROJECTS.match(match[0]):
            yield _judge_address(match[0], at, f" (line {number})")
            return


def judge_requirement(line: str, at: Location, number: int) -> Iterator[Note]:
    """Judge one line of a list of requirements; ``number`` is from 1, or 0 where there is none."""
    text = re.split(r"(?:^|\s)#", line[:4_000], maxsplit=1)[0]
    where = f" (line {number})" if number else ""
    options = list(_OPTION.finditer(text))
    for match in options:
        option = match[1] or {"i": "index-url", "f": "find-links"}[match[2]]
        yield from _judge_setting(option, match[3], at, number)
    if options:
        return
    if setting := _SETTING.search(text):
        yield from _judge_setting(setting[1].lower().replace("_", "-"), setting[2], at, number)
    elif address := _URL.search(text):
        yield _judge_address(address[0], at, where)
    elif _LOCAL.search(text):
        message = f"A package is taken from a path{where}: {show(text.strip())}."
        yield found("WB-REQ-004", at, message, detail=show(text.strip()))
    elif package := _NAME.match(text):
        name = re.sub(r"[-_.]+", "-", package[1]).lower()
        if name in _CONFUSING or _imitates(name):
            message = f"The package {show(package[1])} has a name that imitates another one{where}."
            yield found("WB-REQ-005", at, message, detail=show(package[1]))


def _imitates(name: str) -> bool:
    """Return whether a name is one slip of the hand away from a popular one."""
    if len(name) < _SQUATTED_CHARACTERS or name in _POPULAR or name in _REAL_NEIGHBOURS:
        return False
    return any(abs(len(name) - len(one)) <= 1 and _is_slip(name, one) for one in _POPULAR)


def _is_slip(name: str, other: str) -> bool:
    """Return whether one letter is missing, added, changed, or swapped with its neighbour."""
    start = 0
    while start < min(len(name), len(other)) and name[start] == other[start]:
        start += 1
    rest, wanted = name[start:], other[start:]
    if rest[1:] == wanted[1:]:
        return True
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return rest[1:] == wanted or rest == wanted[1:] or swapped == wanted


def _judge_setting(option: str, value: str, at: Location, number: int) -> Iterator[Note]:
    where = f" (line {number})" if number else ""
    if option in {"trusted-host", "proxy", "cert"} or (
        option in {"verify-ssl", "strict-ssl"} and value.lower() in {"false", "0", "no"}
    ):
        message = (
            f"Packages are fetched without checking who sends them{where}: {option} {show(value)}."
        )
        yield found("WB-REQ-003", at, message, detail=show(value))
    elif "://" in value:
        if value.startswith("http://"):
            message = f"Packages are fetched without encryption from {show(value)}{where}."
            yield found("WB-REQ-003", at, message, detail=show(value))
        elif _is_known_index(value) or _KNOWN_PROJECTS.match(value):
            message = f"Packages are also fetched from the well-known {show(_host(value))}{where}."
            yield found("WB-REQ-004", at, message, detail=show(value))
        else:
            message = f"Packages are fetched from {show(_host(value))}{where}."
            yield found("WB-REQ-001", at, message, detail=show(value))
    elif option in {"index-url", "extra-index-url", "find-links"}:
        message = f"Packages are fetched from {show(value)}{where}."
        yield found("WB-REQ-004", at, message, detail=show(value))


def _judge_address(address: str, at: Location, where: str) -> Note:
    known = _KNOWN_PROJECTS.match(address) or _SPACY.match(address) or _FILES.match(address)
    if known or (address.startswith("https://") and _is_known_index(address)):
        message = f"A package is fetched from a repository of a well-known project{where}."
        return found("WB-REQ-004", at, message, detail=show(address))
    message = f"A package is fetched from {show(address)} instead of an index{where}."
    return found("WB-REQ-002", at, message, detail=show(address))


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _is_known_index(address: str) -> bool:
    host = _host(address).partition(":")[0].lower()
    return host in _INDEX_HOSTS or address.startswith(_INDEX_ADDRESSES)
