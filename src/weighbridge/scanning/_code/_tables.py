"""What functions of Python do that a reader of a model's code has to know: literal tables."""

from __future__ import annotations

import re

__all__ = [
    "COLLECTORS",
    "COMMANDS",
    "EVALUATORS",
    "FETCHERS",
    "LOADERS",
    "MODULES",
    "NATIVE",
    "SECRET",
    "SENDERS",
    "STARTUP",
    "TREES",
    "WALKS",
    "WEB_HOOK",
    "find_kind",
]

COMMANDS = frozenset(
    [f"os.{name}" for name in ("system", "popen", "popen2", "popen3", "popen4", "startfile")]
    + [f"os.exec{tail}" for tail in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")]
    + [f"os.spawn{tail}" for tail in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")]
    + ["os.posix_spawn", "os.posix_spawnp", "pty.spawn", "pty.fork", "os.forkpty"]
    + [f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")]
    + [
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "subprocess._posixsubprocess.fork_exec",
    ]
    + ["_posixsubprocess.fork_exec", "commands.getoutput", "commands.getstatusoutput"]
    + ["asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"]
    + ["asyncio.subprocess.create_subprocess_exec", "asyncio.subprocess.create_subprocess_shell"]
    + ["pexpect.spawn", "pexpect.run", "sh.bash", "sh.Command", "plumbum.local", "fabric.run"]
    + [
        "invoke.run",
        "distutils.spawn.spawn",
        "setuptools._distutils.spawn.spawn",
        "_winapi.CreateProcess",
    ]
    + ["numpy.distutils.exec_command.exec_command", "test.support.script_helper.assert_python_ok"]
    + [
        "multiprocessing.util.spawnv_passfds",
        "IPython.utils.process.system",
        "antigravity.webbrowser.open",
    ]
    + [
        "platform.popen",
        "webbrowser.get",
        "pydoc.pipepager",
        "pydoc.tempfilepager",
        "win32api.ShellExecute",
    ]
    + [
        "os.forkserver",
        "ensurepip.bootstrap",
        "pip.main",
        "pip._internal.main",
        "pip._internal.cli.main.main",
    ]
    + ["idlelib.pyshell.main", "cgitb.lookup", "lib2to3.main", "venv.create"]
)
EVALUATORS = frozenset(
    [
        "builtins.exec",
        "builtins.eval",
        "builtins.compile",
        "code.interact",
        "types.CodeType",
        "types.FunctionType",
        "code.InteractiveInterpreter",
        "code.InteractiveConsole",
        "codeop.compile_command",
        "timeit.timeit",
        "timeit.repeat",
        "timeit.Timer",
        "cProfile.run",
        "cProfile.runctx",
        "profile.run",
        "profile.runctx",
        "pdb.run",
        "pdb.runeval",
        "bdb.Bdb.run",
        "trace.Trace.run",
        "runpy.run_path",
        "runpy.run_module",
        "runpy._run_code",
        "imp.load_source",
        "imp.load_module",
        "imp.load_compiled",
        "imp.load_dynamic",
        "numexpr.evaluate",
        "importlib.util.spec_from_file_location",
        "importlib.machinery.SourceFileLoader",
        "importlib.machinery.SourcelessFileLoader",
        "importlib.machinery.ExtensionFileLoader",
        "importlib.util.spec_from_loader",
        "importlib.util.module_from_spec",
        "zipimport.zipimporter",
        "IPython.get_ipython",
        "IPython.embed",
        "builtins.execfile",
        "marshal.loads",
        "marshal.load",
        "torch.hub._load_local",
        "torch.jit.CompilationUnit",
        "torch.package.PackageImporter",
        "test.support.run_in_subinterp",
        "_xxsubinterpreters.run_string",
        "_interpreters.run_string",
        "numpy.f2py.crackfortran.myeval",
        "sympy.sympify",
        "sympy.parse_expr",
        "pandas.eval",
        "lib2to3.pgen2.pgen.ParserGenerator",
        "numpy.testing.runstring",
        "six.exec_",
        "numpy.f2py.compile",
        "numpy.f2py.main",
        "numpy.f2py.run_main",
    ]
)
LOADERS = frozenset(
    [
        "pickle.loads",
        "pickle.load",
        "pickle.Unpickler",
        "cPickle.loads",
        "cPickle.load",
        "_pickle.loads",
        "_pickle.load",
        "pickle._loads",
        "pickle._load",
        "pickle._Unpickler",
        "dill.loads",
        "dill.load",
        "cloudpickle.loads",
        "cloudpickle.load",
        "jsonpickle.decode",
        "shelve.open",
        "yaml.unsafe_load",
        "yaml.unsafe_load_all",
        "yaml.full_load_unsafe",
        "pickle5.load",
        "pickle5.loads",
        "dill.load_session",
        "dill.load_module",
    ]
)
NATIVE = frozenset(
    [
        "ctypes.CDLL",
        "ctypes.PyDLL",
        "ctypes.WinDLL",
        "ctypes.OleDLL",
        "ctypes.LibraryLoader",
        "ctypes.cdll.LoadLibrary",
        "ctypes.windll.LoadLibrary",
        "ctypes.pydll.LoadLibrary",
        "ctypes.pythonapi",
        "ctypes.windll",
        "ctypes.CFUNCTYPE",
        "ctypes.cdll",
        "torch.ops.load_library",
        "torch.classes.load_library",
        "torch.utils.cpp_extension.load",
        "cffi.FFI",
        "_ctypes.dlopen",
        "torch.utils.cpp_extension.load_inline",
        "tensorflow.load_op_library",
        "tensorflow.load_library",
        "numpy.ctypeslib.load_library",
        "ctypes.util.find_library",
        "ctypes.memmove",
        "ctypes.string_at",
        "tf.load_op_library",
        "cupy.RawModule",
        "cupy.RawKernel",
        "torch.cuda._compile_kernel",
    ]
)
FETCHERS = frozenset(
    [f"requests.{name}" for name in ("get", "head", "Session", "session", "options")]
    + [
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "urllib.urlretrieve",
        "urllib.urlopen",
    ]
    + ["urllib2.urlopen", "urllib.request.Request", "urllib.request.build_opener"]
    + ["httpx.get", "httpx.stream", "wget.download", "gdown.download", "httpx.Client"]
    + ["torch.hub.download_url_to_file", "torch.hub.load_state_dict_from_url"]
    + ["urllib3.PoolManager", "aiohttp.ClientSession", "httpx.AsyncClient", "torch.hub.load"]
    + ["webbrowser.open", "webbrowser.open_new", "webbrowser.open_new_tab"]
    + ["urllib.request.URLopener", "urllib.request.FancyURLopener"]
)
SENDERS = frozenset(
    [f"requests.{name}" for name in ("post", "put", "patch", "delete", "request")]
    + [f"httpx.{name}" for name in ("post", "put", "patch", "request")]
    + ["socket.create_connection", "http.client.HTTPConnection", "http.client.HTTPSConnection"]
    + ["smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "ftplib.FTP_TLS", "telnetlib.Telnet"]
    + [
        "paramiko.SSHClient",
        "paramiko.Transport",
        "asyncio.open_connection",
        "websocket.WebSocketApp",
    ]
    + [
        "websocket.create_connection",
        "websockets.connect",
        "xmlrpc.client.ServerProxy",
        "socket.fromfd",
    ]
    + ["imaplib.IMAP4", "imaplib.IMAP4_SSL", "poplib.POP3", "nntplib.NNTP", "dns.resolver.resolve"]
    + [
        "httplib.HTTPConnection",
        "httplib.HTTPSConnection",
        "ssl.create_connection",
        "_socket.socket",
    ]
    + ["asyncio.start_server", "socketserver.TCPServer", "http.server.HTTPServer"]
    + ["socket.gethostbyname", "socket.getaddrinfo", "socket.gethostbyname_ex", "pycurl.Curl"]
    + ["multiprocessing.connection.Client", "multiprocessing.connection.Listener", "zmq.Context"]
    + ["multiprocessing.managers.BaseManager", "huggingface_hub.upload_file", "boto3.client"]
)
TREES = frozenset({"shutil.rmtree", "os.removedirs", "os.remove", "os.unlink", "os.rmdir"})
COLLECTORS = frozenset(
    [
        "os.environ",
        "os.getlogin",
        "getpass.getuser",
        "socket.gethostname",
        "platform.node",
        "os.uname",
        "platform.uname",
        "os.getenv",
        "os.listdir",
        "os.walk",
        "builtins.open",
        "glob.glob",
        "uuid.getnode",
        "os.environb",
        "os.getcwd",
        "pwd.getpwall",
        "huggingface_hub.get_token",
        "os.path.expanduser",
        "huggingface_hub.HfFolder.get_token",
        "keyring.get_password",
        "platform.platform",
        "os.scandir",
        "psutil.process_iter",
        "PIL.ImageGrab.grab",
        "pathlib.Path.home",
        "builtins.globals",
    ]
)
MODULES = frozenset(
    [
        "pynput",
        "keyboard",
        "pyautogui",
        "winreg",
        "_winreg",
        "browser_cookie3",
        "browsercookie",
        "pty",
        "discord_webhook",
        "dhooks",
        "scapy",
        "pyarmor_runtime",
        "pytransform",
        "win32crypt",
        "telnetlib",
        "pyperclip",
        "pexpect",
        "paramiko",
        "ftplib",
        "smtplib",
        "pyxhook",
        "mss",
        "pycurl",
        "antigravity",
        "_posixsubprocess",
        "telebot",
        "sourcedefender",
        "pyminifier",
        "win32api",
        "win32clipboard",
    ]
)
WALKS = frozenset(
    [
        "__subclasses__",
        "__globals__",
        "__builtins__",
        "__code__",
        "__closure__",
        "f_globals",
        "f_builtins",
        "f_locals",
        "gi_frame",
        "gi_code",
        "cr_frame",
        "func_globals",
        "func_code",
        "tb_frame",
        "__mro__",
        "__reduce_ex__",
        "co_code",
        "meta_path",
        "path_hooks",
        "addaudithook",
        "settrace",
    ]
)
SECRET = re.compile(
    r"\.ssh\b|\.aws[/\\]|\.netrc|\.git-credentials|\.docker/config|\.kube[/\\]|id_rsa|id_ed25519|"
    r"/etc/(?:passwd|shadow)|Login Data|\bCookies\b.*(?:Chrome|Default)|\.bash_history|\.pypirc|"
    r"huggingface/(?:token|stored_tokens)|\.npmrc|wallet\.dat|\.config/gcloud|leveldb|\.gnupg|"
    r"169\.254\.169\.254|metadata\.google\.internal|/proc/(?:self|\d+)/environ|keychain|\.pgpass|"
    r"[/\\](?:Google|BraveSoftware|Mozilla)[/\\]|secretsmanager|\.azure[/\\]|cookies\.sqlite",
)
STARTUP = re.compile(
    r"\.bashrc|\.bash_profile|\.zshrc|(?:^|/)\.profile\b|\.zprofile|/etc/cron|/var/spool/cron|"
    r"crontab|sitecustomize|usercustomize|authorized_keys|LaunchAgents|LaunchDaemons|"
    r"systemd/(?:system|user)|\.config/autostart|CurrentVersion\\+Run|Start Menu.*Startup|"
    r"/etc/(?:rc\.local|ld\.so\.preload|"
    r"profile\.d|init\.d|sudoers)|\.ipython/profile_default/startup|\.git/hooks|[\w*-]+-nspkg\.pth|"
    r"\.config/fish|site-packages.*\.(?:pth|py)\b",
)
WEB_HOOK = re.compile(
    r"discord(?:app)?\.com/api/webhooks|api\.telegram\.org/bot|hooks\.slack\.com|pastebin\.com/raw|"
    r"webhook\.site|\bngrok|oast(?:ify)?\.|interact\.sh|burpcollaborator|transfer\.sh|file\.io|"
    r"requestbin|pipedream|rentry\.co|paste\.ee|dpaste|hastebin|\.onion\b|0x0\.st|anonfiles|gofile\.io|"
    r"https?://(?!127\.|0\.0\.0\.0|10\.|192\.168\.)\d{1,3}(?:\.\d{1,3}){3}\b",
)
_KINDS = (
    ("command", COMMANDS),
    ("evaluate", EVALUATORS),
    ("load", LOADERS),
    ("native", NATIVE),
    ("send", SENDERS),
    ("fetch", FETCHERS),
)
_TABLE = {name: kind for kind, names in reversed(_KINDS) for name in names}
_FAMILIES = ("ctypes.windll.", "ctypes.cdll.", "ctypes.oledll.", "ctypes.pythonapi.", "winreg.Set")


def find_kind(name: str) -> str:
    """Return what a function does; empty if that is nothing to tell."""
    kind = _TABLE.get(name, "")
    if not kind and name.startswith(_FAMILIES):
        return "native"
    return kind
