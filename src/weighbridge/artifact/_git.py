"""Asking git, without letting the repository run anything.

A repository's configuration may be a stranger's. Plumbing commands are called with filters, hooks,
the file-system monitor and every transport switched off.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError, LimitExceededError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from weighbridge.core import Limits

__all__ = ["GitRepository", "open_git"]

# What says where a repository is or how its files are read. Hooks and wrappers set some of these;
# the repository of the model is the one that is meant.
_UNSET = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_WORK_TREE",
)
_SET = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# The last three: a change that only the inode or the change time shows is a change,
# and a list of untracked files that was kept is not believed.
_CONFIG = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("protocol.allow", "never"),
    ("core.checkStat", "default"),
    ("core.trustctime", "true"),
    ("core.untrackedCache", "false"),
)
_WORDS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class GitRepository:
    """The repository that a folder is in.

    Attributes:
        folder: Where git is asked.
        top: The folder of the whole work tree, resolved.
        environment: Disarms the repository.
        limits: ``max_list_bytes`` bounds what git prints.
        advice: What to do if git cannot answer, at the end of a message.
    """

    folder: Path
    top: Path
    environment: dict[str, str]
    limits: Limits
    advice: str

    def ask(self, *arguments: str, given: bytes = b"", none_is_1: bool = False) -> bytes:
        """Run one command and return what it printed.

        Raises:
            InputError: git is not installed, or refuses.
            LimitExceededError: It printed more than ``max_list_bytes``.
        """
        import subprocess  # noqa: PLC0415 - costs start-up time
        import tempfile  # noqa: PLC0415

        with tempfile.TemporaryFile() as words, tempfile.TemporaryFile() as questions:
            questions.write(given)
            questions.seek(0)
            try:
                process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
                    ["git", "-C", str(self.folder), *arguments],  # noqa: S607 - the user's own git
                    stdin=questions,
                    stdout=subprocess.PIPE,
                    stderr=words,
                    env=self.environment,
                )
            except FileNotFoundError as error:
                raise InputError(f"git is not installed; {self.advice}") from error
            except OSError as error:
                raise InputError(f"git cannot be run: {error.strerror}") from error
            printed = self._read(process)
            if process.returncode and not (none_is_1 and process.returncode == 1):
                words.seek(0)
                reason = _first_line(words.read(_WORDS_BYTES)) or f"error {process.returncode}"
                raise InputError(f"git cannot answer: {reason}; {self.advice}")
        return printed

    def _read(self, process: subprocess.Popen[bytes]) -> bytes:
        limit_bytes = self.limits.max_list_bytes
        with process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            printed = process.stdout.read(limit_bytes + 1)
            if len(printed) > limit_bytes:
                process.kill()
                raise LimitExceededError(
                    "max_list_bytes",
                    limit=limit_bytes,
                    actual=len(printed),
                    subject="what git prints",
                )
        return printed


def open_git(folder: Path, *, advice: str, limits: Limits) -> GitRepository:
    """Find the repository of ``folder`` and switch off what it would run.

    Args:
        folder: Any folder in a work tree.
        advice: What to do if git cannot answer; it ends every message.
        limits: ``max_list_bytes`` bounds what git prints.

    Raises:
        InputError: No git, no repository, no work tree, or one that is elsewhere.
        LimitExceededError: git prints too much.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _UNSET} | _SET
    plain = GitRepository(folder, folder, _configure(environment, _CONFIG), limits, advice)
    printed = plain.ask("rev-parse", "--show-toplevel").removesuffix(b"\n")
    top = Path(os.fsdecode(printed)).resolve()
    if not folder.resolve().is_relative_to(top):
        raise InputError(
            f"the git repository at {printable(str(folder))} says that its files are elsewhere "
            f"(core.worktree); {advice}"
        )
    keys = plain.ask(
        "config", "-z", "--name-only", "--get-regexp", r"^filter\.", none_is_1=True
    ).decode("utf-8", "surrogateescape")
    filters = {key.rpartition(".")[0] for key in keys.split("\0") if key}
    disarmed = [
        (f"{name}.{what}", value)
        for name in sorted(filters)
        for what, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
    ]
    return GitRepository(folder, top, _configure(plain.environment, disarmed), limits, advice)


def _configure(environment: dict[str, str], settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the environment with settings that win over every configuration file."""
    text = environment.get("GIT_CONFIG_COUNT", "")
    first = int(text) if text.isdecimal() else 0
    added = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, first):
        added |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment | added


def _first_line(words: bytes) -> str:
    lines = words.decode("utf-8", "surrogateescape").strip().splitlines()
    return printable(lines[0]) if lines else ""
