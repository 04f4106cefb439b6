"""Formats: how bytes are laid out. Bytes -> values and events; bounded, and without judgement.

A module is imported when something of it is first used: a step needs two of them, a scan all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.formats._arrow import looks_like_arrow, read_arrow_messages
    from weighbridge.formats._card import parse_card
    from weighbridge.formats._cursor import Cursor
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
    from weighbridge.formats._flatbuffers import FlatTable, open_flat_root
    from weighbridge.formats._gguf import (
        TEMPLATE_KEY,
        GgufHeader,
        GgufProblem,
        GgufTensor,
        read_gguf,
    )
    from weighbridge.formats._git import (
        GitDiff,
        GitFile,
        parse_git_attributes,
        parse_git_diff,
        parse_git_files,
        parse_path_list,
    )
    from weighbridge.formats._git_text import GitChange, parse_git_diff_text, parse_git_status_text
    from weighbridge.formats._hdf5 import (
        find_hdf5_start,
        list_hdf5_heap_objects,
        read_hdf5,
    )
    from weighbridge.formats._hdf5_values import (
        Hdf5Attribute,
        Hdf5Dataset,
        Hdf5Event,
        Hdf5File,
        Hdf5Filter,
        Hdf5Link,
        Hdf5Object,
        Hdf5Problem,
        Hdf5Type,
    )
    from weighbridge.formats._json_loose import read_json_loose
    from weighbridge.formats._license_text import LicenseChoice, LicenseTerm, parse_license
    from weighbridge.formats._media import MEDIA_KINDS, find_media_end, sniff_media
    from weighbridge.formats._msgpack import (
        MsgpackArray,
        MsgpackExtension,
        looks_like_msgpack,
        read_msgpack,
        read_msgpack_array,
    )
    from weighbridge.formats._notebook import Notebook, parse_notebook
    from weighbridge.formats._numpy import NpyHeader, read_npy_header
    from weighbridge.formats._outlines import Outline, find_outline, sniff_outline
    from weighbridge.formats._parquet import ParquetFooter, read_parquet_footer
    from weighbridge.formats._pickle import (
        Blob,
        PickleArg,
        PickleCursor,
        PickleOpcode,
        read_pickle_ops,
    )
    from weighbridge.formats._protobuf import (
        ProtoField,
        ProtoMessage,
        looks_like_protobuf,
        read_varints,
    )
    from weighbridge.formats._provenance_values import (
        DocumentSection,
        DocumentValue,
        ProvenanceDocument,
    )
    from weighbridge.formats._provenance_yaml import parse_provenance_yaml
    from weighbridge.formats._r import REvent, find_r_start, read_r
    from weighbridge.formats._safetensors import (
        SafetensorsHeader,
        SafetensorsProblem,
        SafetensorsTensor,
        read_safetensors,
    )
    from weighbridge.formats._sevenzip import (
        SevenZipArchive,
        SevenZipEntry,
        SevenZipFolder,
        read_7z,
    )
    from weighbridge.formats._sevenzip_coders import expand_7z_folder
    from weighbridge.formats._sniff import HEAD_BYTES, looks_like_text, sniff
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
    from weighbridge.formats._textproto import TextField, parse_text_proto
    from weighbridge.formats._ubjson import UbjsonValue, looks_like_ubjson, read_ubjson
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
    "MEDIA_KINDS",
    "TEMPLATE_KEY",
    "ZIP_METHODS",
    "Blob",
    "Cursor",
    "DocumentSection",
    "DocumentValue",
    "DvcEntry",
    "DvcFile",
    "DvcHashes",
    "DvcPlan",
    "DvcStage",
    "Expanded",
    "FileList",
    "FlatTable",
    "GgufHeader",
    "GgufProblem",
    "GgufTensor",
    "GitChange",
    "GitDiff",
    "GitFile",
    "Hdf5Attribute",
    "Hdf5Dataset",
    "Hdf5Event",
    "Hdf5File",
    "Hdf5Filter",
    "Hdf5Link",
    "Hdf5Object",
    "Hdf5Problem",
    "Hdf5Type",
    "LicenseChoice",
    "LicenseTerm",
    "MemorySource",
    "MsgpackArray",
    "MsgpackExtension",
    "Notebook",
    "NpyHeader",
    "Outline",
    "ParquetFooter",
    "PickleArg",
    "PickleCursor",
    "PickleOpcode",
    "ProtoField",
    "ProtoMessage",
    "ProvenanceDocument",
    "REvent",
    "SafetensorsHeader",
    "SafetensorsProblem",
    "SafetensorsTensor",
    "SevenZipArchive",
    "SevenZipEntry",
    "SevenZipFolder",
    "SliceSource",
    "StraceBegun",
    "StraceCall",
    "StraceEnd",
    "StraceEvent",
    "StraceFile",
    "StraceProblem",
    "TarEntry",
    "Text",
    "TextField",
    "UbjsonValue",
    "XmlOutline",
    "YamlTag",
    "YamlTree",
    "ZipDirectory",
    "ZipEntry",
    "compute_dvc_folder",
    "decode_text",
    "expand_7z_folder",
    "expand_stream",
    "find_hdf5_start",
    "find_media_end",
    "find_outline",
    "find_r_start",
    "find_zip_gaps",
    "hash_dvc",
    "hash_dvc_legacy",
    "list_hdf5_heap_objects",
    "looks_like_arrow",
    "looks_like_msgpack",
    "looks_like_protobuf",
    "looks_like_text",
    "looks_like_ubjson",
    "open_expanded",
    "open_flat_root",
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
    "parse_text_proto",
    "read_7z",
    "read_arrow_messages",
    "read_gguf",
    "read_hdf5",
    "read_json_loose",
    "read_msgpack",
    "read_msgpack_array",
    "read_npy_header",
    "read_parquet_footer",
    "read_pickle_ops",
    "read_r",
    "read_safetensors",
    "read_strace",
    "read_tar",
    "read_text",
    "read_ubjson",
    "read_varints",
    "read_xml_outline",
    "read_yaml_tree",
    "read_zip_directory",
    "read_zip_entry",
    "sniff",
    "sniff_media",
    "sniff_outline",
]

_MODULES = {
    "_arrow": ("looks_like_arrow", "read_arrow_messages"),
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
        "TEMPLATE_KEY",
        "GgufHeader",
        "GgufProblem",
        "GgufTensor",
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
    "_hdf5": ("find_hdf5_start", "list_hdf5_heap_objects", "read_hdf5"),
    "_hdf5_values": (
        "Hdf5Attribute",
        "Hdf5Dataset",
        "Hdf5Event",
        "Hdf5File",
        "Hdf5Filter",
        "Hdf5Link",
        "Hdf5Object",
        "Hdf5Problem",
        "Hdf5Type",
    ),
    "_license_text": (
        "LicenseChoice",
        "LicenseTerm",
        "parse_license",
    ),
    "_msgpack": (
        "MsgpackArray",
        "MsgpackExtension",
        "looks_like_msgpack",
        "read_msgpack",
        "read_msgpack_array",
    ),
    "_media": ("MEDIA_KINDS", "find_media_end", "sniff_media"),
    "_notebook": ("Notebook", "parse_notebook"),
    "_numpy": (
        "NpyHeader",
        "read_npy_header",
    ),
    "_outlines": ("Outline", "find_outline", "sniff_outline"),
    "_parquet": ("ParquetFooter", "read_parquet_footer"),
    "_pickle": (
        "Blob",
        "PickleArg",
        "PickleCursor",
        "PickleOpcode",
        "read_pickle_ops",
    ),
    "_protobuf": ("ProtoField", "ProtoMessage", "looks_like_protobuf", "read_varints"),
    "_cursor": ("Cursor",),
    "_flatbuffers": ("FlatTable", "open_flat_root"),
    "_textproto": ("TextField", "parse_text_proto"),
    "_provenance_values": ("DocumentSection", "DocumentValue", "ProvenanceDocument"),
    "_provenance_yaml": ("parse_provenance_yaml",),
    "_r": ("REvent", "find_r_start", "read_r"),
    "_safetensors": (
        "SafetensorsHeader",
        "SafetensorsProblem",
        "SafetensorsTensor",
        "read_safetensors",
    ),
    "_sevenzip": (
        "SevenZipArchive",
        "SevenZipEntry",
        "SevenZipFolder",
        "read_7z",
    ),
    "_sevenzip_coders": ("expand_7z_folder",),
    "_sniff": (
        "HEAD_BYTES",
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
    "_ubjson": ("UbjsonValue", "looks_like_ubjson", "read_ubjson"),
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
