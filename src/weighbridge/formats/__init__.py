"""Formats: how bytes are laid out. Bytes -> values and events; bounded, and without judgement.

A module is imported when something of it is first used: a step needs two of them, a scan all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.formats._card import parse_card
    from weighbridge.formats._decode import decode_text
    from weighbridge.formats._dvc import (
        DvcEntry,
        DvcFile,
        DvcPlan,
        DvcStage,
        parse_dvc_file,
        parse_dvc_lock,
        parse_dvc_pipeline,
    )
    from weighbridge.formats._dvc_hashes import (
        DvcHashes,
        compute_dvc_folder,
        hash_dvc,
        hash_dvc_legacy,
    )
    from weighbridge.formats._file_list import FileList, parse_file_list
    from weighbridge.formats._gguf import GgufHeader, GgufProblem, read_gguf
    from weighbridge.formats._git import (
        GitDiff,
        GitFile,
        parse_git_attributes,
        parse_git_diff,
        parse_git_files,
        parse_path_list,
    )
    from weighbridge.formats._git_text import GitChange, parse_git_diff_text, parse_git_status_text
    from weighbridge.formats._json_loose import read_json_loose
    from weighbridge.formats._license_text import LicenseChoice, LicenseTerm, parse_license
    from weighbridge.formats._notebook import Notebook, parse_notebook
    from weighbridge.formats._numpy import NpyHeader, read_npy_header
    from weighbridge.formats._pickle import (
        Blob,
        PickleArg,
        PickleCursor,
        PickleOpcode,
        read_pickle_ops,
    )
    from weighbridge.formats._provenance_values import (
        DocumentSection,
        DocumentValue,
        ProvenanceDocument,
    )
    from weighbridge.formats._provenance_yaml import parse_provenance_yaml
    from weighbridge.formats._safetensors import (
        SafetensorsHeader,
        SafetensorsProblem,
        read_safetensors,
    )
    from weighbridge.formats._sniff import HEAD_BYTES, check_image_end, looks_like_text, sniff
    from weighbridge.formats._sources import Expanded, MemorySource, SliceSource, open_expanded
    from weighbridge.formats._strace import (
        StraceBegun,
        StraceCall,
        StraceEnd,
        StraceEvent,
        StraceFile,
        StraceProblem,
        parse_strace_file,
        parse_strace_text,
        read_strace,
    )
    from weighbridge.formats._streams import expand_stream
    from weighbridge.formats._tar import TarEntry, read_tar
    from weighbridge.formats._text import Text, read_text
    from weighbridge.formats._xml import XmlOutline, read_xml_outline
    from weighbridge.formats._yaml_tree import YamlTag, YamlTree, read_yaml_tree
    from weighbridge.formats._zip import (
        ZIP_METHODS,
        ZipDirectory,
        ZipEntry,
        find_zip_gaps,
        read_zip_directory,
        read_zip_entry,
    )

__all__ = [
    "HEAD_BYTES",
    "ZIP_METHODS",
    "Blob",
    "DocumentSection",
    "DocumentValue",
    "DvcEntry",
    "DvcFile",
    "DvcHashes",
    "DvcPlan",
    "DvcStage",
    "Expanded",
    "FileList",
    "GgufHeader",
    "GgufProblem",
    "GitChange",
    "GitDiff",
    "GitFile",
    "LicenseChoice",
    "LicenseTerm",
    "MemorySource",
    "Notebook",
    "NpyHeader",
    "PickleArg",
    "PickleCursor",
    "PickleOpcode",
    "ProvenanceDocument",
    "SafetensorsHeader",
    "SafetensorsProblem",
    "SliceSource",
    "StraceBegun",
    "StraceCall",
    "StraceEnd",
    "StraceEvent",
    "StraceFile",
    "StraceProblem",
    "TarEntry",
    "Text",
    "XmlOutline",
    "YamlTag",
    "YamlTree",
    "ZipDirectory",
    "ZipEntry",
    "check_image_end",
    "compute_dvc_folder",
    "decode_text",
    "expand_stream",
    "find_zip_gaps",
    "hash_dvc",
    "hash_dvc_legacy",
    "looks_like_text",
    "open_expanded",
    "parse_card",
    "parse_dvc_file",
    "parse_dvc_lock",
    "parse_dvc_pipeline",
    "parse_file_list",
    "parse_git_attributes",
    "parse_git_diff",
    "parse_git_diff_text",
    "parse_git_files",
    "parse_git_status_text",
    "parse_license",
    "parse_notebook",
    "parse_path_list",
    "parse_provenance_yaml",
    "parse_strace_file",
    "parse_strace_text",
    "read_gguf",
    "read_json_loose",
    "read_npy_header",
    "read_pickle_ops",
    "read_safetensors",
    "read_strace",
    "read_tar",
    "read_text",
    "read_xml_outline",
    "read_yaml_tree",
    "read_zip_directory",
    "read_zip_entry",
    "sniff",
]

_MODULES = {
    "_yaml_tree": ("YamlTag", "YamlTree", "read_yaml_tree"),
    "_xml": ("XmlOutline", "read_xml_outline"),
    "_json_loose": ("read_json_loose",),
    "_decode": ("decode_text",),
    "_card": ("parse_card",),
    "_dvc": (
        "DvcEntry",
        "DvcFile",
        "DvcPlan",
        "DvcStage",
        "parse_dvc_file",
        "parse_dvc_lock",
        "parse_dvc_pipeline",
    ),
    "_dvc_hashes": ("DvcHashes", "compute_dvc_folder", "hash_dvc", "hash_dvc_legacy"),
    "_file_list": (
        "FileList",
        "parse_file_list",
    ),
    "_gguf": (
        "GgufHeader",
        "GgufProblem",
        "read_gguf",
    ),
    "_git": (
        "GitDiff",
        "GitFile",
        "parse_git_attributes",
        "parse_git_diff",
        "parse_git_files",
        "parse_path_list",
    ),
    "_git_text": (
        "GitChange",
        "parse_git_diff_text",
        "parse_git_status_text",
    ),
    "_license_text": (
        "LicenseChoice",
        "LicenseTerm",
        "parse_license",
    ),
    "_notebook": ("Notebook", "parse_notebook"),
    "_numpy": (
        "NpyHeader",
        "read_npy_header",
    ),
    "_pickle": (
        "Blob",
        "PickleArg",
        "PickleCursor",
        "PickleOpcode",
        "read_pickle_ops",
    ),
    "_provenance_values": ("DocumentSection", "DocumentValue", "ProvenanceDocument"),
    "_provenance_yaml": ("parse_provenance_yaml",),
    "_safetensors": (
        "SafetensorsHeader",
        "SafetensorsProblem",
        "read_safetensors",
    ),
    "_sniff": (
        "HEAD_BYTES",
        "check_image_end",
        "looks_like_text",
        "sniff",
    ),
    "_sources": (
        "Expanded",
        "MemorySource",
        "SliceSource",
        "open_expanded",
    ),
    "_strace": (
        "StraceBegun",
        "StraceCall",
        "StraceEnd",
        "StraceEvent",
        "StraceFile",
        "StraceProblem",
        "parse_strace_file",
        "parse_strace_text",
        "read_strace",
    ),
    "_streams": ("expand_stream",),
    "_tar": (
        "TarEntry",
        "read_tar",
    ),
    "_text": (
        "Text",
        "read_text",
    ),
    "_zip": (
        "ZIP_METHODS",
        "ZipDirectory",
        "ZipEntry",
        "find_zip_gaps",
        "read_zip_directory",
        "read_zip_entry",
    ),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
