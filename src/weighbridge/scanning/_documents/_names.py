"""Names that have programs run a file, that deceive, or that mean something else to a system."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.scanning._notes import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weighbridge.core import Finding, Location

__all__ = ["check_name"]

# Most names have nothing in them that any rule below looks at: asked first, for every member.
_SUSPECT = re.compile(
    r"[^\x20-\x7e]|(?:^|/)[._]|[:\\]|[ .](?:/|$)|(?i:customize\.py"
    r"|(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d)"
    r"(?:[./]|$)|autorun|desktop\.ini|\.(?:lnk|desktop|url|scf|pif|scr|exe|com|bat|cmd|vbs|vbe|js|jse|wsf|hta"
    r"|msi|ps1|sh|jar|dll|so|dylib|app|command|reg|inf|library-ms|settingcontent-ms|searchconnector-ms)$)"
)
# Characters that turn the direction of text, or that nobody sees.
_DECEPTIVE = re.compile(
    "[\u202a-\u202e\u2066-\u2069\u200b\u2060-\u2064\ufeff\u00ad\u115f\u3164\uffa0\u180e\U000e0000-\U000e007f]"
)
_MODEL_ENDINGS = (
    "safetensors|bin|pt|pth|ckpt|onnx|gguf|h5|keras|pkl|pickle|joblib|npz|npy|json|txt|md|csv|pdf"
    "|png|jpg|jpeg|docx?|xlsx?|zip|yaml|yml|parquet|tflite|pb|model|jsonl|gif|mp4|wav"
)
_PROGRAM_ENDINGS = "exe|scr|pif|com|bat|cmd|vbs|vbe|jse|wsf|hta|lnk|msi|ps1|jar|desktop|command|app"
_DOUBLE = re.compile(rf"\.(?:{_MODEL_ENDINGS})[ ._]*\.(?:{_PROGRAM_ENDINGS})$", re.IGNORECASE)
_SHORTCUTS = re.compile(
    r"\.(?:lnk|desktop|url|scf|pif|scr|library-ms|settingcontent-ms|searchconnector-ms)$"
    r"|(?:^|/)autorun\.inf$",
    re.IGNORECASE,
)
_OBEYED = re.compile(
    r"(?:^|/)(?:\.(?:bash(?:rc|_profile|_login|_logout|_aliases)|profile|zsh(?:rc|env)|zprofile|zlogin"
    r"|kshrc|cshrc|tcshrc|login|xinitrc|xprofile|inputrc|vimrc|exrc|gvimrc|nvimrc|emacs|pythonrc(?:\.py)?"
    r"|gdbinit|lldbinit|npmrc|yarnrc|curlrc|wgetrc|envrc|direnvrc|Rprofile|irbrc|pryrc|sqliterc)"
    r"|(?:site|user)customize\.py|\.git/hooks/[\w-]+|\.git/config|\.gitmodules"
    r"|\.husky/[\w-]+|\.ssh/(?:authorized_keys2?|config|rc|environment)"
    r"|\.config/(?:autostart|systemd|fish|environment\.d)/.+|\.ipython/profile_\w+/startup/.+"
    r"|\.jupyter/jupyter_\w*config\.py|\.local/bin/.+|\.local/lib/python.+/site-packages/.+"
    r"|etc/(?:cron|profile|ld\.so|sudoers|init|systemd)[\w./-]*|\.docker/config\.json|\.pip/pip\.conf)$"
)
_GIT_SAMPLE = re.compile(r"\.git/(?:hooks/[\w-]+\.sample|config)$")
_DEVICE = re.compile(
    r"(?:^|/)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[^/]*)?(?:/|$)", re.IGNORECASE
)
_STREAM = re.compile(r"[^/:]:[^/:\\]")
_USUAL_HIDDEN = re.compile(
    r"\.(?:git\w*|hf\w*|huggingface|cache|DS_Store|_.*|github|vscode|idea|env[\w.-]*|docker\w*|ci"
    r"|circleci|pre-commit[\w.-]*|editorconfig|flake8|pylintrc|coveragerc|isort\.cfg|style\.yapf|clang-\w+"
    r"|dvc\w*|npmignore|eslint\w*|prettier\w*|babelrc|nojekyll|keep|gitkeep|placeholder|readthedocs\.ya?ml"
    r"|travis\.yml|gitlab-ci\.yml|gitlab|mdl\w*|markdownlint[\w.-]*|spelling|typos\.toml|ipynb_checkpoints"
    r"|locks|no_exist|metadata|zattrs|zgroup|zmetadata|zarray|mlflow|hydra|guild\w*|ruff\w*|mypy\w*"
    r"|pytest\w*|python-version|tool-versions|node-version|nvmrc|condarc|yamllint[\w.-]*|codespellrc"
    r"|codecov\.yml|buildinfo|doctrees|streamlit|gradio|devcontainer|cursor\w*|claude|mcp\.json|\w*ignore"
    r"|dist-info|egg-info|libs|data|ort_config|wandb|neptune|aim|tensorboard|netrc|pypirc|\w+\.swp|\w+rc)"
)


def check_name(at: Location) -> Iterator[Finding]:
    """Yield what is wrong with the name of a file or member, whatever its content.

    A name can only make the answer worse: it is never a reason not to look.
    """
    name = at.member[-1] if at.member else at.file
    if _SUSPECT.search(name) is None:
        return
    if (match := _DECEPTIVE.search(name)) is not None:
        code = f"U+{ord(match[0]):04X}"
        message = f"Its name has a character that turns or hides text ({code})."
        yield found("WB-HID-002", at, message, detail=printable(name))
    if (match := _DOUBLE.search(name)) is not None:
        message = f"Its name passes a program off as something else ({printable(match[0])})."
        yield found("WB-HID-002", at, message, detail=printable(name))
    elif (match := _SHORTCUTS.search(name)) is not None:
        message = f"It is a shortcut ({printable(match[0])}), which a desktop follows or runs."
        yield found("WB-HID-001", at, message, detail=printable(name))
    if _OBEYED.search(name) is not None and _GIT_SAMPLE.search(name) is None:
        message = "A program runs or obeys this file because of its name, if it lies in its place."
        yield found("WB-HID-001", at, message, detail=printable(name))
    yield from _check_meaning(name, at)


def _check_meaning(name: str, at: Location) -> Iterator[Finding]:
    if _DEVICE.search(name) is not None:
        message = "Its name stands for a device on Windows, whatever its ending."
        yield found("WB-HID-003", at, message, detail=printable(name))
    elif not at.member and _STREAM.search(name) is not None:
        message = "On Windows its name means a stream hidden in another file."
        yield found("WB-HID-003", at, message, detail=printable(name))
    hidden = [part for part in name.split("/") if part.startswith(".") and part not in {".", ".."}]
    if not at.member and any(_USUAL_HIDDEN.fullmatch(part) is None for part in hidden):
        message = "Its name hides it from ordinary listings."
        yield found("WB-HID-004", at, message, detail=printable(name))
