"""Notebooks: the clean copy, and what is no notebook."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Limits
from weighbridge.errors import ParseError
from weighbridge.formats import Notebook, parse_notebook


def parse(value: object, limits: Limits = DEFAULT_LIMITS) -> Notebook:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_notebook(data, what="n.ipynb", limits=limits)


def build_notebook(*cells: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def build_cell(source: str | list[str] = "1 + 1", **more: Any) -> dict[str, Any]:
    empty = {"metadata": {}, "execution_count": None, "outputs": []}
    return {"cell_type": "code", "id": "a1", "source": source, **empty, **more}


def test_the_clean_copy_is_what_its_author_wrote() -> None:
    ran = build_cell(
        ["import os\n", "x = 1"],
        execution_count=7,
        outputs=[{"output_type": "stream", "name": "stdout", "text": "secret"}],
        metadata={"tags": ["a"], "scrolled": True, "execution": {"iopub.status.busy": "now"}},
    )
    text = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": "# Title"}
    picture = {**text, "id": "c", "attachments": {"a.png": {"image/png": "AA=="}}}
    spec = {"name": "conda-env-x", "display_name": "X", "language": "python"}
    found = parse(
        build_notebook(
            ran,
            text,
            picture,
            metadata={
                "kernelspec": spec,
                "language_info": {"name": "Python", "version": "3.9.1"},
                "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
                "authors": [{"name": "A"}],
            },
        )
    )
    clean = json.loads(found.clean)
    nbformat.validate(nbformat.from_dict(clean))
    assert clean["cells"] == [
        build_cell("import os\nx = 1", metadata={"tags": ["a"]}),
        text,
        picture,
    ]
    assert clean["metadata"] == {"kernelspec": spec, "authors": [{"name": "A"}]}
    assert (found.code_cells, found.language, found.kernel) == (1, "python", "conda-env-x")
    canonical = json.dumps(clean, sort_keys=True, separators=(",", ":")).encode()
    assert found.clean == canonical
    assert found.sha256 == hashlib.sha256(canonical).hexdigest()


OUTPUTS = st.lists(
    st.fixed_dictionaries(
        {
            "output_type": st.just("stream"),
            "name": st.sampled_from(["stdout", "stderr"]),
            "text": st.text(max_size=20),
        }
    ),
    max_size=3,
)


@given(
    source=st.text(max_size=60),
    count=st.integers(1, 10**6) | st.none(),
    outputs=OUTPUTS,
    at=st.integers(0, 60),
    version=st.text(max_size=5),
)
def test_running_it_does_not_change_the_digest(
    source: str, count: int | None, outputs: list[Any], at: int, version: str
) -> None:
    """Neither do outputs, counts, the kernel's version, nor how the source is cut into lines."""
    fresh = parse(build_notebook(build_cell(source)))
    parts = [source[:at], source[at:]]
    again = build_notebook(
        build_cell(parts, execution_count=count, outputs=outputs),
        metadata={"language_info": {"name": "python", "version": version}},
    )
    assert parse(again).clean == fresh.clean
    assert parse(fresh.clean).clean == fresh.clean
    other = parse(build_notebook(build_cell(source + " ")))
    assert other.sha256 != fresh.sha256


def test_sources_outside_of_unicode_stay_what_they_are() -> None:
    data = b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "\\ud800"}]}'
    assert json.loads(parse(data).clean)["cells"][0]["source"] == "\ud800"


def test_older_minor_versions_have_no_ids() -> None:
    cell = build_cell()
    del cell["id"]
    found = parse(build_notebook(cell, nbformat_minor=2))
    assert json.loads(found.clean)["nbformat_minor"] == 2
    nbformat.validate(nbformat.from_dict(json.loads(found.clean)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "not JSON"),
        (b"print(1)", "not JSON"),
        (b"\x80\x04]", "not UTF-8"),
        (b"[]", "names no nbformat"),
        (b"{}", "names no nbformat"),
        (b'{"nbformat": 4, "nbformat": 4, "cells": []}', "appears twice"),
        ({"nbformat": 3, "worksheets": []}, "notebook format 3.0, and only format 4"),
        ({"nbformat": 5, "cells": []}, "format 5"),
        ({"nbformat": True, "cells": []}, "format True"),
        ({"nbformat": "4\x1b[2J", "cells": []}, r"format 4\\x1b"),
        ({"nbformat": 4}, "no list of cells"),
        ({"nbformat": 4, "cells": {}}, "no list of cells"),
        ({"nbformat": 4, "cells": [1]}, "cells.0."),
        ({"nbformat": 4, "cells": [{"cell_type": "shell"}]}, "of no kind"),
        ({"nbformat": 4, "cells": [{"cell_type": []}]}, "of no kind"),
        ({"nbformat": 4, "cells": [{"cell_type": "code"}]}, "source of a cell"),
        ({"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}, "source of a cell"),
        (build_notebook(build_cell(metadata={"tags": 5})), "tags are a list"),
        (build_notebook(build_cell(metadata=[])), "an object has to be here"),
        (build_notebook(build_cell(id="../x")), "usable id"),
        (build_notebook(build_cell(id=5)), "usable id"),
        (build_notebook(metadata=[]), "an object has to be here"),
        (build_notebook(metadata={"kernelspec": "python3"}), "an object has to be here"),
        (b'{"nbformat": 4, "cells": ' + b"[" * 100_000, "nested deeper|not JSON"),
        (b'{"nbformat": 4, "metadata": {"a": NaN}, "cells": []}', "NaN is not JSON"),
    ],
)
def test_what_is_no_notebook(value: object, words: str) -> None:
    with pytest.raises(ParseError, match=words) as caught:
        parse(value)
    assert str(caught.value).isprintable()


def test_the_number_of_cells_is_bounded() -> None:
    cell = b'{"cell_type": "raw", "source": ""},'
    data = b'{"nbformat": 4, "cells": [' + cell * 1_200_000 + b"{}]}"
    with pytest.raises(ParseError, match="values, which is more than"):
        parse(data)
