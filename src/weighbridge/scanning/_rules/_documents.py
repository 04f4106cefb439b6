"""The rules about documents: JSON, YAML, XML, requirements; secrets, and what lies about."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-DOC-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Configuration that names code of this folder",
        what=(
            "A configuration names Python code beside it (`auto_map`, `auto_mapping`). "
            "Loading it with `trust_remote_code=True` imports that code."
        ),
        example='`"auto_map": {"AutoModel": "modeling_x.XModel"}`',
        fix=("Review the code that is named, or use an architecture that the library has itself."),
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-002",
        Answer.UNKNOWN,
        Severity.HIGH,
        title="Configuration that names code of another repository",
        what=(
            "A configuration names Python code of another repository (`org/repo--"
            "file.Class`). What would run is not in this folder, has no digest here, and "
            "may change at any time. Libraries write this themselves when a fine-tuned "
            "model is saved, so it is not called malicious."
        ),
        example='`"auto_map": {"AutoModel": "org/repo--modeling_x.XModel"}`',
        fix="Copy the code into this folder at a revision that was reviewed.",
        cwe=(829, 494),
        atlas=("AML.T0010",),
    ),
    Rule(
        "WB-DOC-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Configuration that trusts foreign code",
        what=(
            "A configuration says `trust_remote_code` is true, so that some loaders run "
            "code of a repository without asking."
        ),
        example='`"trust_remote_code": true`',
        fix="Remove the entry; whoever loads the model decides.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Pipeline of foreign code",
        what=(
            "A configuration names a pipeline, a module or a component that is not one of "
            "the library which reads the file: it would be imported from this folder, from "
            "another repository, or from what is installed."
        ),
        example='`"custom_pipelines": {"x": {"impl": "a.B"}}`, `"unet": ["my_unet", "Net"]`',
        fix="Review the code that is named, or use components of the library.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-005",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Document that has a dangerous function called",
        what=(
            "A document names a function that runs commands or code, opens files or loads "
            "objects, where a loader calls what is named there."
        ),
        example='`"_target_": "os.system"`',
        fix="Do not load it; find out where it comes from.",
        cwe=(94, 502),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-006",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Document that has something unknown imported",
        what=(
            "A document names a class or function that a loader imports and calls "
            "(`_target_`), and nobody vouches for it."
        ),
        example='`"_target_": "src.models.Net"`',
        fix="Review what is named, or use classes of known libraries.",
        cwe=(470,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-007",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Objects for jsonpickle",
        what=(
            "A document has keys of jsonpickle, which imports what they name and rebuilds "
            "objects from it."
        ),
        example='`{"py/object": "app.Model"}`',
        fix="Save plain data instead.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-008",
        Answer.FAIL,
        Severity.HIGH,
        title="YAML tag that builds a Python object",
        what=(
            "A tag of YAML imports a module, or calls a function or class, when a loader "
            "that is not the safe one reads it."
        ),
        example="`!!python/object/apply:os.system [id]`",
        fix="Write plain data; read YAML with the safe loader.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-009",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Unknown YAML tag",
        what="A YAML tag is outside the core schema: each reader decides what it does.",
        example="`!include other.yaml`",
        fix="Write plain data, or find out which program reads the tag.",
        cwe=(502,),
        atlas=(),
    ),
    Rule(
        "WB-DOC-010",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Document that grows when it is read",
        what=(
            "Aliases of a small YAML file, or entities of a small XML file, stand for a "
            "million values or more."
        ),
        example="nine lines, each with nine aliases of the line before",
        fix="Write the values out; do not read it with a parser that expands them.",
        cwe=(776, 400),
        atlas=("AML.T0029",),
    ),
    Rule(
        "WB-DOC-011",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Commands that a tool runs by itself",
        what=(
            "A configuration has commands that a tool runs when the folder is opened, "
            "installed, built or connected to."
        ),
        example='`"scripts": {"postinstall": "curl ... | sh"}`',
        fix="Leave the file out of the model, or review the commands.",
        cwe=(78,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-012",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="MLflow model with a foreign loader",
        what=(
            "An `MLmodel` names a module as its loader that is not MLflow's own: loading "
            "the model imports it, from this folder or from what is installed."
        ),
        example="`loader_module: my_loader`",
        fix="Review the module, or save the model with a flavor of MLflow.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-013",
        Answer.PASS,
        Severity.INFO,
        title="Model that brings code or objects along",
        what=(
            "An `MLmodel` names Python code, or a pickled Python model, which loading it "
            "imports or unpickles. These files are examined for themselves."
        ),
        example="`python_model: python_model.pkl`",
        fix="Nothing, if what is named was examined.",
        cwe=(),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-DOC-014",
        Answer.PASS,
        Severity.INFO,
        title="Model that needs another one",
        what=(
            "An adapter names the model that it is applied to. That model is not part of "
            "this artifact."
        ),
        example='`"base_model_name_or_path": "org/base"`',
        fix="Check the base model as well.",
        cwe=(),
        atlas=("AML.T0010",),
    ),
    Rule(
        "WB-DOC-015",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Formula that runs something",
        what=(
            "Spreadsheet programs take a cell of the table for a formula that starts a program "
            "or sends data away."
        ),
        example="`=cmd|'/c calc'!A0`",
        fix="Put a quote before the cell, or remove it.",
        cwe=(1236,),
        atlas=(),
    ),
    Rule(
        "WB-DOC-016",
        Answer.PASS,
        Severity.INFO,
        title="Commands for whoever calls them",
        what=(
            "A document has commands that run only when somebody asks for it: stages of "
            "DVC, services, workflows."
        ),
        example="`cmd: python train.py`",
        fix="Nothing; read the commands before running them.",
        cwe=(),
        atlas=(),
    ),
    Rule(
        "WB-DOC-017",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Expression that is evaluated",
        what=(
            "A configuration has texts that its loader evaluates as Python (MONAI: texts "
            "that begin with `$`)."
        ),
        example='`"x": "$torch.device(0)"`',
        fix="Read what the expressions call before you load it.",
        cwe=(95,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-HID-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="File that something runs by its name",
        what=(
            "A program runs or obeys this file because of its name and place: start files of "
            "shells and Python, git hooks, shortcuts."
        ),
        example="`.bashrc`, `sitecustomize.py`, `x.pth` with an `import` line, `setup.lnk`",
        fix="Remove it from the model.",
        cwe=(506,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-HID-002",
        Answer.FAIL,
        Severity.HIGH,
        title="Name that deceives",
        what=(
            "The name looks like another one: characters turn or hide text, or the ending of a "
            "program stands behind the ending of a model."
        ),
        example="`model.safetensors.exe`",
        fix="Remove the file; find out who named it so.",
        cwe=(451, 1007),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-HID-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Name with a special meaning",
        what="The name stands for a device on Windows, or names a hidden stream of a file.",
        example="`aux.json`, `nul`, `model.bin:evil.exe`",
        fix="Rename the file; find out who named it so.",
        cwe=(67,),
        atlas=(),
    ),
    Rule(
        "WB-HID-004",
        Answer.PASS,
        Severity.LOW,
        title="Hidden file",
        what=(
            "The name of a file or folder begins with a dot, and model repositories do not "
            "usually have it."
        ),
        example="`.cache-x/data`",
        fix="Nothing, if it is meant to be there.",
        cwe=(),
        atlas=(),
    ),
    Rule(
        "WB-REQ-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Packages from another index",
        what=(
            "Packages are to be fetched from an index that is not PyPI or another well-"
            "known one: whoever runs it decides what is installed."
        ),
        example="`--extra-index-url https://pkgs.example/simple`",
        fix="Name only indexes that you trust, or pin hashes.",
        cwe=(427, 829),
        atlas=("AML.T0010.001",),
    ),
    Rule(
        "WB-REQ-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Package from an address",
        what=("A package is to be fetched from an address or a repository instead of an index."),
        example="`git+https://git.example/x.git`",
        fix="Use a released version from an index, or pin a commit that was reviewed.",
        cwe=(829, 494),
        atlas=("AML.T0010.001",),
    ),
    Rule(
        "WB-REQ-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Packages without protection on the way",
        what=(
            "Packages are to be fetched without checking the server's certificate, or "
            "without encryption."
        ),
        example="`--trusted-host pkgs.example`",
        fix="Use https and remove the option.",
        cwe=(295, 319),
        atlas=("AML.T0010.001",),
    ),
    Rule(
        "WB-REQ-004",
        Answer.PASS,
        Severity.LOW,
        title="Package of a well-known project or a local path",
        what=(
            "A package comes from a repository of a well-known project, a well-known index,"
            " or from a path of this folder."
        ),
        example="`git+https://github.com/huggingface/transformers`, `-e .`",
        fix="Nothing; pin a commit to get the same code each time.",
        cwe=(),
        atlas=("AML.T0010.001",),
    ),
    Rule(
        "WB-REQ-005",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Name of a package that is taken for another",
        what=(
            "The name of a package has been used to imitate another one, or to replace one of a "
            "private index."
        ),
        example="`torchtriton`, `huggingface-cli`",
        fix="Write the name of the package that is meant.",
        cwe=(1357,),
        atlas=("AML.T0010.001", "AML.T0011.001"),
    ),
    Rule(
        "WB-SEC-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Token left in a file",
        what=(
            "A text has the exact form of a secret token of a service. It does no harm to "
            "whoever loads the model; but whoever reads the file can use it."
        ),
        example="`hf_...`, `AKIA...`, `ghp_...`",
        fix="Revoke the token first, then remove it: old revisions still have it.",
        cwe=(798, 540),
        atlas=("AML.T0055",),
    ),
    Rule(
        "WB-SEC-002",
        Answer.UNKNOWN,
        Severity.HIGH,
        title="Private key left in a file",
        what=(
            "A text holds a private key, or the key of a service account: whoever reads the "
            "file can use it."
        ),
        example="`-----BEGIN PRIVATE KEY-----`",
        fix="Replace the key first, then remove it: old revisions still have it.",
        cwe=(321, 540),
        atlas=("AML.T0055",),
    ),
    Rule(
        "WB-SEC-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Password left in a file",
        what="A text holds a password, in an address or in a file of credentials.",
        example="`https://user:password@host/`",
        fix="Change the password first, then remove it: old revisions still have it.",
        cwe=(798, 540),
        atlas=("AML.T0055",),
    ),
    Rule(
        "WB-XML-001",
        Answer.FAIL,
        Severity.HIGH,
        title="XML that reads other files",
        what=(
            "An entity of an XML document stands for another file or address: a reader that"
            " follows it gives the content away."
        ),
        example='`<!ENTITY x SYSTEM "file:///etc/passwd">`',
        fix="Remove the entities, and read XML with a parser that follows none.",
        cwe=(611,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-XML-002",
        Answer.FAIL,
        Severity.HIGH,
        title="XML that builds objects",
        what=(
            "The XML document has a form whose readers create the objects and call the methods "
            "that it names."
        ),
        example='`<java class="java.beans.XMLDecoder">`',
        fix="Do not load it. Ask for plain data.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
)
