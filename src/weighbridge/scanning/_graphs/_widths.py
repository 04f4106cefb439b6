"""How many bytes an element of a tensor of TensorFlow takes."""

from __future__ import annotations

__all__ = ["TF_BYTES"]

TF_BYTES = {
    1: 4,
    2: 8,
    3: 4,
    4: 1,
    5: 2,
    6: 1,
    8: 8,
    9: 8,
    10: 1,
    14: 2,
    17: 2,
    18: 16,
    19: 2,
    22: 4,
    23: 8,
}
"""DataType -> bytes. Source: TensorFlow ``framework/types.proto``."""
