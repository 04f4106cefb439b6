"""Limits: every bound on work that hostile input can cause, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]

_KIB = 1024
_MIB = 1024 * _KIB
_GIB = 1024 * _MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for one artifact. A breach is a :class:`LimitExceededError` or a finding.

    Attributes:
        max_entries: Files and folders in an artifact.
        max_path_depth: Folders below each other.
        max_signature_bytes: Size of a signature file.
        max_policy_bytes: Size of a policy file.
        max_key_bytes: Size of a file with a key, a secret, or a Sigstore instance's trust config.
        max_timestamp_bytes: Size of one RFC 3161 timestamp, with the certificates in it.
        max_list_bytes: Size of a list of files that changed, given or told by git.
        max_report_bytes: Size of what one rank of a distributed job reports.
        max_notebook_bytes: Size of a notebook, with whatever its cells had printed.
        max_source_bytes: Contents of source files that differ from the commit, hashed for a step.
        max_package_bytes: Contents of one installed package, hashed for a step.
        max_parameters_bytes: Names and values of a step's parameters together.
        max_claims: Statements in one lineage.
        max_view_bytes: Size of what a policy's rules in CEL see, at 16 bytes a value and its
            letters.
        max_json_depth: Lists and objects inside each other, in any JSON, YAML or
            TOML.
        max_json_values: Values in one JSON document, counted by its separators.
        max_card_bytes: Size of the metadata block of a model card.
        max_header_bytes: Size of a safetensors header and of GGUF metadata; the first is the bound
            of the safetensors library itself.
        max_members: Members of all containers in one file.
        max_nesting: Containers inside each other.
        max_expanded_bytes: Bytes that decompressing one file may give.
        max_ratio: Expanded bytes for each byte of the file, judged once 64 MiB were expanded.
        max_headers_bytes: Size of all tensor headers in one file together, beyond its own size.
        max_text_bytes: Text searched in one file, beyond four times its own size.
        max_parsed_bytes: JSON parsed in one file, beyond its own size.
        max_pickle_ops: Opcodes followed one by one in the pickles of a file; a call counts for 80.
        max_pickle_stack: Objects on the stack or in the memo of one pickle, and containers.
        max_pickle_names: Different names that the pickles of one file refer to.
        max_fields: Fields read in all graphs (protobuf, flat buffers) of one file.
        max_findings: Findings kept for one file; the rest are counted.
        max_rows: Rows of coverage kept for one file; the rest are counted by kind.
        max_kept_bytes: File contents held in memory for one file while it is examined.
        max_wait_s: How long one answer of a service on the network may take; the news of a Sigstore
            instance, which are several, count as one. So long, too, is waited for another writer
            of claims.
    """

    max_entries: int = 2_000_000
    max_path_depth: int = 128
    max_signature_bytes: int = 256 * _MIB
    max_policy_bytes: int = 1 * _MIB
    max_key_bytes: int = 1 * _MIB
    max_timestamp_bytes: int = 64 * _KIB
    max_list_bytes: int = 256 * _MIB
    max_report_bytes: int = 64 * _MIB
    max_notebook_bytes: int = 256 * _MIB
    max_source_bytes: int = 1 * _GIB
    max_package_bytes: int = 16 * _GIB
    max_parameters_bytes: int = 4 * _MIB
    max_claims: int = 200_000
    max_view_bytes: int = 256 * _MIB
    max_json_depth: int = 64
    max_json_values: int = 2_000_000
    max_card_bytes: int = 8 * _MIB
    max_header_bytes: int = 100_000_000
    max_members: int = 50_000
    max_nesting: int = 8
    max_expanded_bytes: int = 16 * _GIB
    max_ratio: int = 100
    max_headers_bytes: int = 8 * _MIB
    max_text_bytes: int = 64 * _MIB
    max_parsed_bytes: int = 4 * _MIB
    max_pickle_ops: int = 40_000_000
    max_pickle_stack: int = 5_000_000
    max_pickle_names: int = 20_000
    max_fields: int = 1_500_000
    max_findings: int = 1_000
    max_rows: int = 1_000
    max_kept_bytes: int = 64 * _MIB
    max_wait_s: int = 60


DEFAULT_LIMITS = Limits()
