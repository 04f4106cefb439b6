"""Provenance: recording a step: what went in, what came out, what was seen, what was enforced."""

__all__: list[str] = []
