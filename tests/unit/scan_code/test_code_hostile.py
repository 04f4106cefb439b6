"""What harms is gated, in whatever style it is written."""

from __future__ import annotations

import pytest

from unit.scan_code.scan_code_hostile import PYTHON, SHELL, TEMPLATES
from unit.scan_code.scan_code_looking import gates, look


@pytest.mark.parametrize("text", PYTHON)
def test_python_that_harms_is_gated(text: str) -> None:
    assert gates(look(text, "py"))


@pytest.mark.parametrize("text", TEMPLATES)
def test_templates_that_harm_are_gated(text: str) -> None:
    assert gates(look(text, "jinja"))


@pytest.mark.parametrize("text", SHELL)
def test_scripts_that_harm_are_gated(text: str) -> None:
    assert gates(look(text, "sh"))
