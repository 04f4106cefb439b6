"""Whether a step can be what its author says: told before anything is read, made or removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weighbridge.core import printable
from weighbridge.errors import InputError
from weighbridge.provenance import (
    check_names,
    check_parameters,
    check_step,
    is_remote,
    parse_remote_input,
)
from weighbridge.workflow._paths import to_path

if TYPE_CHECKING:
    from weighbridge.core import Limits
    from weighbridge.workflow._record import StepPlan

__all__ = ["check_plan"]


def check_plan(plan: StepPlan, *, limits: Limits) -> None:
    """Refuse a plan that could not be recorded, or whose inputs are not there.

    Args:
        plan: What the step is going to be.
        limits: Bounds on parameters.

    Raises:
        InputError: Its kind, builder, a name, a parameter or an input cannot be used.
        LimitExceededError: The parameters are more than a record holds.
    """
    check_step(plan.kind, plan.builder, inputs=plan.inputs, parameters=plan.parameters)
    check_names(plan.inputs, what="input")
    check_names(plan.outputs, what="output")
    check_names([plan.name or plan.kind], what="entire step")
    check_parameters(plan.parameters, limits=limits)
    for name, given in plan.inputs.items():
        if isinstance(given, str) and is_remote(given):
            parse_remote_input(name, given)
        elif not os.path.lexists(path := to_path(given, what=f"input {name!r}")):
            raise InputError(f"{printable(str(path))} does not exist")
