"""Words that tell what an expression of Python has to do with: literal tables."""

from __future__ import annotations

import re

__all__ = ["DECODING", "DECODING_MORE", "FETCHING", "SETUP_HOOKS", "UNWRAPPING", "WORDS_OF_DANGER"]

DECODING = ("base64.", "zlib.", "binascii.", "codecs.decode", "bz2.", "lzma.", "gzip.")
DECODING_MORE = ("marshal.", "cryptography.", "Crypto.", "builtins.bytes.fromhex")
# Of what is decoded, what does not only open files that are compressed.
UNWRAPPING = ("base64.", "binascii.", "codecs.decode", "builtins.bytes.fromhex", "marshal.")
FETCHING = ("requests.", "urllib.", "httpx.", "urllib2.", "http.client", "socket.", "aiohttp.")
SETUP_HOOKS = re.compile(
    r"(?:setuptools|distutils)\.command\.(?:install|develop|egg_info|build|"
    r"sdist|build_py|install_lib|bdist_egg|install_scripts|editable_wheel)\b"
)
WORDS_OF_DANGER = re.compile(
    r"\b(?:exec|eval|__import__|subprocess|os\s*\.\s*(?:system|popen)|socket|marshal|ctypes|base64|"
    r"pty|urllib2?|requests|importlib|builtins|getattr)\b"
)
