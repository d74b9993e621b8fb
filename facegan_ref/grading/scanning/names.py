"""The names that the rules look for, by their dotted paths."""

from __future__ import annotations

import builtins
import re


def _words(text: str) -> list[str]:
    return text.split()


PROTECTED = frozenset(
    _words(
        """torch torchvision numpy math cmath random builtins sys os io time types typing abc copy
        copyreg collections functools itertools operator statistics numbers fractions decimal
        dataclasses enum inspect gc importlib signal threading contextlib traceback linecache
        pickle json re string struct tempfile pathlib shutil zipfile hashlib textwrap unittest
        weakref asyncio secrets queue heapq bisect PIL IPython ipykernel traitlets nbgrader
        facegan_ref"""
    )
)
"""Changing what lies in these modules can change what a check finds."""

SETTINGS = re.compile(
    r"""torch\.(backends|hub|_dynamo\.config|_inductor\.config|multiprocessing)\b
    |torch\.distributions\..*validate_args
    |torchvision\.(datasets|models)\b
    |sys\.(stdout|stderr|stdin|path|argv|ps1|ps2|tracebacklimit|dont_write_bytecode|last_\w+)\b
    |os\.(environ|curdir|sep)\b
    |PIL\.(ImageFile\.LOAD_TRUNCATED_IMAGES|Image\.MAX_IMAGE_PIXELS)
    |IPython\.(?!get_ipython).*\bast_node_interactivity
    |json\.encoder\.FLOAT_REPR""",
    re.VERBOSE,
)
"""Documented settings, and habits that honest notebooks have."""

MILD = re.compile(
    r"""torch\.(cuda|backends\.\w+)\.is_available$
    |.*\b(manual_seed|seed|manual_seed_all)$
    |torch\.(device|dtype|float32|pi|e|inf|__version__|set_\w+)$
    |(torch\.nn\.(functional|init)|math|random)\.\w+\.(?!__)\w+$
    |facegan_ref\.figures\.[A-Z_]+$""",
    re.VERBOSE,
)
"""Habits that change a module, but no result: the runner puts functions back anyway."""

_USES = {
    "inside": """sys._getframe sys._getframemodulename sys._current_frames sys._current_exceptions
        sys.settrace sys.setprofile sys.monitoring sys.meta_path sys.path_hooks sys.addaudithook
        sys.path_importer_cache sys.call_tracing threading.settrace threading.setprofile bdb
        threading.settrace_all_threads threading.setprofile_all_threads
        gc.get_objects gc.get_referrers gc.get_referents gc.callbacks
        inspect.stack inspect.trace inspect.currentframe inspect.getouterframes
        inspect.getinnerframes inspect.getclosurevars inspect.getgeneratorlocals
        traceback.walk_stack traceback.walk_tb importlib._bootstrap importlib._bootstrap_external
        types.FrameType builtins.__loader__ builtins.__spec__""",
    "memory": """ctypes _ctypes cffi _cffi_backend numpy.ctypeslib llvmlite forbiddenfruit gorilla
        torch.utils.cpp_extension torch.ops.load_library torch.classes.load_library cppyy pyximport
        Cython _testcapi _xxsubinterpreters interpreters""",
    "hooks": """torch.overrides torch.library torch._C torch._ops torch.utils._python_dispatch
        torch.utils._device torch._guards torch.serialization.register_package
        torch.nn.modules.module.register_module_forward_hook
        torch.nn.modules.module.register_module_forward_pre_hook
        torch.nn.modules.module.register_module_backward_hook
        torch.nn.modules.module.register_module_full_backward_hook
        torch.nn.modules.module.register_module_full_backward_pre_hook
        torch.nn.modules.module.register_module_parameter_registration_hook
        torch.nn.modules.module.register_module_module_registration_hook
        torch.nn.modules.module.register_module_buffer_registration_hook
        torch.optim.optimizer.register_optimizer_step_pre_hook
        torch.optim.optimizer.register_optimizer_step_post_hook
        copyreg.pickle copyreg.dispatch_table copyreg.constructor""",
    "kernel": """IPython.get_ipython() ipykernel IPython.core.inputtransformer2
        IPython.core.prefilter IPython.core.hooks""",
    "aside": """threading.Thread threading.Timer _thread sched.scheduler signal.signal
        signal.setitimer signal.alarm signal.pthread_kill signal.set_wakeup_fd atexit.register
        multiprocessing.Process multiprocessing.context multiprocessing.get_context
        torch.multiprocessing.Process torch.multiprocessing.spawn os.fork os.forkpty
        os.register_at_fork weakref.finalize""",
    "hidden": """marshal.loads marshal.load types.CodeType types.CellType codeop
        code.InteractiveConsole code.InteractiveInterpreter code.interact pickletools""",
    "network": "socket.socket socket.create_connection paramiko telnetlib",
    "tools": "nbgrader nbclient jupyter_client",
    "noted": "nbformat nbconvert sqlite3 zmq mmap",
    "mock": "unittest.mock",
}
USES = {path: kind for kind, listed in _USES.items() for path in _words(listed)}
"""What is a finding wherever it is used, with the kind."""

_HARMLESS_MEMBERS = re.compile(
    r"""IPython\.get_ipython\(\)((\[\])*$|\.(run_line_magic|run_cell_magic|magic|system|getoutput
    |config|__class__|__module__|kernel$|kernel\.do_shutdown|set_next_input|has_trait
    |history_manager|execution_count|ev|ex|run_cell|push|display_formatter
    |register_magic_function|colors|find_line_magic|find_cell_magic|showtraceback|enable_gui
    |reset|run_code)\b)""",
    re.VERBOSE,
)

INDIRECT_IMPORTS = frozenset(
    _words(
        """importlib.import_module importlib.__import__ builtins.__import__ importlib.reload
        importlib.util.spec_from_file_location importlib.util.module_from_spec
        importlib.util.find_spec importlib.machinery.SourceFileLoader
        importlib.machinery.PathFinder.find_spec importlib.machinery.SourcelessFileLoader
        importlib.resources.files importlib.resources.read_text runpy.run_module runpy.run_path
        pydoc.locate pydoc.safeimport pydoc.importfile pydoc.resolve pydoc.render_doc
        pkgutil.resolve_name pkgutil.get_loader pkgutil.find_loader pkgutil.get_data
        imp.load_source imp.load_module imp.find_module zipimport.zipimporter site.addsitedir
        traitlets.utils.importstring.import_item traitlets.import_item
        IPython.utils.importstring.import_item pkg_resources.resource_string"""
    )
)
"""Other ways to import; the name is the first argument."""

CODE_TAKERS = frozenset(
    _words(
        """builtins.exec builtins.eval builtins.compile code.interact runpy._run_code
        IPython.get_ipython().run_cell IPython.get_ipython().ex IPython.get_ipython().ev
        IPython.get_ipython().run_code IPython.get_ipython().run_cell_async
        timeit.timeit timeit.repeat timeit.Timer timeit.main cProfile.run cProfile.runctx
        profile.run pdb.run pdb.runeval trace.Trace"""
    )
)
SETS_ATTRIBUTES = frozenset(
    _words(
        """builtins.setattr builtins.delattr builtins.object.__setattr__ builtins.type.__setattr__
        builtins.object.__delattr__ builtins.type.__delattr__"""
    )
)
PROGRAMS = re.compile(
    r"""os\.(system|popen|exec\w+|spawn\w+|posix_spawnp?|startfile)$
    |subprocess\.(?!PIPE|DEVNULL|STDOUT|CalledProcessError|TimeoutExpired)
    |pty\.|pexpect\.|asyncio\.(subprocess\.)?create_subprocess
    |IPython\.get_ipython\(\)\.(system|getoutput)""",
    re.VERBOSE,
)
HARMLESS_PROGRAMS = re.compile(
    r"""\s*(sudo\s+)?(pip3?|conda|mamba|uv|apt(-get)?|brew|nvidia-smi|nvcc|ls|dir|pwd|cd|mkdir|rm
    |rmdir|cp|mv|cat|head|tail|wc|du|df|free|top|which|lscpu|wget|curl|unzip|zip|tar|7z|git|echo
    |touch|find|clear|cls|date|whoami|hostname|uname|tensorboard|gdown|kaggle|ffmpeg|convert
    |jupyter|export|true|gzip|gunzip|md5sum|sha256sum|ln|sed|awk|grep|sleep|time|lsb_release|ps
    |env|id|tree|chmod|(\S*python\S*|\0)\s+(-m\s+(pip|ensurepip)|--version|-V))\b""",
    re.VERBOSE,
)

_ATTRIBUTES = {
    "inside": """__globals__ __subclasses__ __builtins__ f_back f_globals f_locals f_builtins
        tb_frame gi_frame cr_frame ag_frame __loader__ __spec__ _getframe settrace setprofile
        get_objects get_referrers get_referents""",
    "curious": """__code__ __closure__ cell_contents __mro__ __bases__ __base__ gi_code
        __kwdefaults__""",
    "kernel": """ast_transformers input_transformer_manager input_transformers_post
        input_transformers_cleanup python_line_transforms token_transformers cleanup_transforms
        line_transforms user_global_ns user_module compile_class run_ast_nodes set_custom_exc""",
    "hooks": """register_module_forward_hook register_module_forward_pre_hook
        register_module_full_backward_hook register_optimizer_step_post_hook TorchFunctionMode
        TorchDispatchMode __torch_function__ __torch_dispatch__""",
}
ATTRIBUTES = {name: kind for kind, listed in _ATTRIBUTES.items() for name in _words(listed)}
"""Attributes that are findings whatever they are taken from."""

SET_ATTRIBUTES = {
    "__module__": "identity",
    "__class__": "identity",
    "__bases__": "identity",
    "__code__": "inside",
}
"""Attributes that honest code reads, but does not set."""

OWN_NAMES = frozenset(
    _words("__name__ __package__ __spec__ __loader__ __path__ __builtins__ __build_class__")
)
"""Names of the notebook itself, which decide what it is taken for."""

FORGING = frozenset(
    _words(
        """__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __add__ __radd__ __sub__ __rsub__ __mul__
        __rmul__ __truediv__ __rtruediv__ __abs__ __neg__ __bool__ __float__ __int__ __index__
        __array__ __array_ufunc__ __array_function__ __torch_function__ __torch_dispatch__
        __round__ __len__ __pow__ __class__ __getattribute__"""
    )
)
COMPARES = frozenset(_words("__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __instancecheck__"))
NUMBERS = re.compile(
    r"builtins\.(float|int|complex)$|torch\.(\w+\.)*(Tensor|Parameter|Buffer)$|numbers\.\w+$"
    r"|numpy\.(ndarray|float\w*|int\w*|generic|number)$|decimal\.Decimal$|fractions\.Fraction$"
)
TENSOR_METHODS = frozenset(
    _words(
        """mean sum item allclose equal eq tolist shape dtype isfinite isnan abs max min any all
        detach numpy cpu backward size dim numel forward parameters state_dict named_parameters
        modules children zero_grad train eval step"""
    )
)

FORBIDDEN_FILES = re.compile(
    r"""\bsolutions[/\\](\d\d|\*|\{|\0)|^(\.\.[/\\])+solutions[/\\]?$|\.grading\b|gradebook\.db
    |\b(submitted|autograded|feedback|source_with_tests)[/\\][^/\\]+[/\\]
    |\bfacegan_ref[/\\].*|\bchecks[/\\]lesson\d\d""",
    re.VERBOSE,
)
FOLDERS = frozenset(["solutions", ".grading", "submitted", "autograded"])
NAMES_REFERENCE = re.compile(r"\bfacegan_ref\b")
MEMORY_FILE = re.compile(r"/proc/(self|\d+|\0)/(mem|task/.*mem)")
MODULE_FILE = re.compile(r"\.(py|pyc|pyx|so|pth|pyd)$")
DISGUISES = frozenset(["base64", "binascii", "zlib", "bz2", "lzma", "gzip", "marshal", "codecs"])
"""Modules that turn unreadable text into code."""

HARMLESS_CALLEES = re.compile(
    r"""builtins\.(print|len|isinstance|hasattr|repr|str|input|sorted|set|\w*(Error|Exception|Warning))$
    |logging\.(debug|info|warning|error|critical|exception|log|basicConfig|getLogger)
    |(warnings|matplotlib|seaborn|IPython\.display|tqdm|textwrap|pprint)\b
    |importlib\.metadata\b|pkgutil\.iter_modules$""",
    re.VERBOSE,
)
HARMLESS_METHODS = frozenset(
    _words(
        """title set_title suptitle set_xlabel set_ylabel xlabel ylabel plot legend text annotate
        info debug warning error write set set_description set_postfix startswith endswith append"""
    )
)

CONVENTIONAL = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "Tensor": "torch.Tensor",
    "plt": "matplotlib.pyplot",
    "get_ipython": "IPython.get_ipython",
    "display": "IPython.display.display",
    "unittest": "unittest",
    "__builtins__": "builtins",
    **{name: name for name in ("math", "sys", "os", "gc", "inspect", "builtins", "random")},
    **{name: f"builtins.{name}" for name in dir(builtins) if not name.startswith("__")},
    **{f"__{name}__": f"builtins.__{name}__" for name in ("import", "loader", "spec")},
}
"""What a name means that nobody has given another meaning."""

STAR_IMPORTS = frozenset(["sys", "gc", "inspect", "builtins", "importlib"])
"""Modules whose names, imported with `*`, could not be told from others."""

_ALIASES = {"posix": "os", "nt": "os", "_io": "io", "_sys": "sys", "_os": "os", "_gc": "gc"}
_WELL_KNOWN = (
    r"(?:_?sys|_?os|builtins|gc|ctypes|_?inspect|importlib|marshal|subprocess|threading|_?signal)"
    r"(?:\.|$)"
)
_EMBEDDED = re.compile(rf"^(?!IPython\.get_ipython|{_WELL_KNOWN}).+?\.(?={_WELL_KNOWN})")
_TORCH_IN = re.compile(r"^(?!torch\.|numpy\.).+\.(?=(?:torch|numpy|builtins)(?:\.|$))")
_SHELL = re.compile(r"^(IPython\.get_ipython\(\))\.(?:kernel\.)?shell\b")


def canonical(path: str) -> str:
    """Return the common name of a dotted path: `warnings.sys.modules` is `sys.modules`."""
    path = _TORCH_IN.sub("", _EMBEDDED.sub("", path))
    root, dot, rest = path.partition(".")
    path = _SHELL.sub(r"\1", _ALIASES.get(root, root) + dot + rest)
    if path in ("io.open", "codecs.open", "os.open", "os.fdopen"):
        return "builtins.open"
    if path.endswith("get_ipython().user_ns"):
        return "builtins.globals()"
    if path.endswith((".get_ipython", "InteractiveShell.instance")):
        return "IPython.get_ipython"
    return path


def use_kind(path: str) -> str | None:
    """Return the kind of finding that the use of `path` is, None when it is none."""
    name = path
    while True:
        if name in USES:
            return None if _HARMLESS_MEMBERS.match(path) else USES[name]
        name, dot, _ = name.rpartition(".")
        if not dot:
            return None
