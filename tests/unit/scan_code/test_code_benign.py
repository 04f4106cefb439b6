"""Ordinary code of models is examined and gates nothing."""

# ruff: noqa: E501 - sources stand here as they are published

from __future__ import annotations

import pytest

from unit.scan_code.scan_code_looking import gates, look

_BENIGN = (
    ("py", "import os\nimport torch\nfrom torch import nn\nos.makedirs(os.path.join('a', 'b'))\n"),
    ("py", "import os\nTOKEN = os.environ.get('HF_TOKEN')\nmodel.eval()\n"),
    ("py", "import requests\nimage = requests.get(url, stream=True).raw\n"),
    ("py", "import re, torch\nP = re.compile('a')\nm = torch.compile(m)\nw = torch.load('a.pt')\n"),
    ("py", "def eval(model):\n    pass\neval(model)\n"),
    (
        "sh",
        "#!/bin/bash\nset -e\nexport A=1\npip install -r requirements.txt\npython train.py --a 1\n",
    ),
    (
        "dockerfile",
        "FROM python:3.11\nRUN pip install torch && rm -rf /var/lib/apt/lists/*\nCMD python a.py",
    ),
    ("html", "<html><body><p>words</p></body></html>"),
    ("cpp", "int main() { return 0; }"),
    ("ipynb", '{"cells":[{"cell_type":"code","source":["!pip install torch\\n","import torch"]}]}'),
    (
        "torchscript",
        (
            "class M(Module):\n  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n"
            "    return torch.add(x, x)\n"
        ),
    ),
    (
        "jinja",
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}",
    ),
    (
        "jinja",
        "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}",
    ),
)


@pytest.mark.parametrize(("language", "text"), _BENIGN)
def test_ordinary_code_gates_nothing(language: str, text: str) -> None:
    assert not gates(look(text, language), findings_only=False)


@pytest.mark.parametrize("text", ["(" * 100_000, "x = '\0'", "if 1:\n" * 200])
def test_what_cannot_be_parsed_gates(text: str) -> None:
    assert gates(look(text, "py"), findings_only=False)


def test_torchscript_that_writes_files_is_gated() -> None:
    assert gates(look("def f(x):\n  torch.save(x, '/tmp/x')\n", "torchscript"))


@pytest.mark.parametrize(
    ("argument", "gated"),
    [
        ("handle.read()", False),
        ("data", False),
        ("bytes(c ^ 3 for c in KEY)", True),
        ("''.join(pieces).encode()", True),
        ("KEY + more", True),
    ],
)
def test_bytes_that_are_unpickled(argument: str, *, gated: bool) -> None:
    text = f"import pickle\ndef load(data, handle, pieces, more):\n    pickle.loads({argument})\n"
    assert gates(look(text, "py")) is gated
