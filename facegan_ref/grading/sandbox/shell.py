"""IPython for graded notebooks: the same language as in JupyterLab, with recorded outputs."""

from __future__ import annotations

import builtins
import sys
import traceback
import types
from collections.abc import Collection
from typing import NoReturn

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import facegan_ref
from facegan_ref.grading.sandbox.recorder import Recorder


class RecordingPublisher(DisplayPublisher):
    """Takes what is displayed."""

    recorder: Recorder | None = None

    def publish(self, data, metadata=None, **_) -> None:
        if self.recorder is not None:
            self.recorder.display(dict(data), dict(metadata or {}))

    def clear_output(self, wait=False) -> None:
        if self.recorder is not None:
            self.recorder.clear()


class RecordingHook(DisplayHook):
    """Takes the value of the last line of a cell."""

    recorder: Recorder | None = None

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict, md_dict=None) -> None:
        if self.recorder is not None:
            self.recorder.result(dict(format_dict), dict(md_dict or {}), self.prompt_count)


class GradingShell(InteractiveShell):
    """An IPython shell without a terminal, a history file or a user's own configuration."""

    recorder: Recorder | None = None

    def record(self, recorder: Recorder) -> None:
        """Send all outputs to `recorder`."""
        self.recorder = self.display_pub.recorder = self.displayhook.recorder = recorder

    def showtraceback(self, exc_tuple=None, *arguments, **settings) -> None:
        """Show an exception; one of a recursion in short, for IPython takes seconds over it."""
        kind, error, trace = self._get_exc_info(exc_tuple)
        if issubclass(kind, RecursionError):
            self._showtraceback(kind, error, traceback.format_exception(kind, error, trace, -3))
        else:
            super().showtraceback(exc_tuple, *arguments, **settings)

    def _showtraceback(self, etype, evalue, stb) -> None:
        try:
            message = str(evalue)
        except Exception:
            message = "(an exception without a message)"
        if self.recorder is not None:
            self.recorder.error(str(etype.__name__), message, [str(line) for line in stb])

    def ask_exit(self) -> None:
        """`exit()` ends the cell's line, not the notebook."""

    def enable_gui(self, gui=None) -> None:
        """There is no event loop to be fed: figures come out of the cells as pictures."""

    def forget_hooks(self) -> None:
        """Undo what a cell may have hung into IPython: the next cell runs as it is written."""
        self.input_transformer_manager = TransformerManager()
        self.input_transformers_post.clear()
        self.ast_transformers.clear()


def make_shell() -> GradingShell:
    """Return the shell; its names are those of `__main__`."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.cache_size = 0
    main = types.ModuleType("__main__", "The notebook.")
    shell = GradingShell.instance(
        config=config,
        user_module=main,
        display_pub_class=RecordingPublisher,
        displayhook_class=RecordingHook,
    )
    return shell


class StudentBuiltins:
    """The builtins of the notebook's own code: `import` without the reference's answers.

    No other code uses them. Classes that the notebook defines are remembered.

    Args:
        allowed: what may be imported from the package: modules ("facegan_ref.figures", and all
            below a name that ends in ".*") or names ("facegan_ref.models:weights_init").
        denied: names that may come from no module, unless they are among the allowed names.
    """

    package = "facegan_ref"

    def __init__(self, allowed: Collection[str], denied: Collection[str]) -> None:
        self.allowed, self.denied = frozenset(allowed), frozenset(denied)
        self.classes: list[type] = []
        self._view = types.ModuleType(self.package, "The part of it that may be used.")
        self._view.__version__ = facegan_ref.__version__
        self._import, self._build_class = builtins.__import__, builtins.__build_class__
        self.module = types.ModuleType("builtins", builtins.__doc__)
        self.module.__dict__.update(builtins.__dict__)
        self.module.__import__ = self.import_module
        self.module.__build_class__ = self.build_class

    def build_class(self, *arguments, **settings):
        """`class`, remembered."""
        made = self._build_class(*arguments, **settings)
        self.classes.append(made)
        return made

    def import_module(self, name, globals=None, locals=None, fromlist=(), level=0):
        """`import`, guarded; the lesson's own cells import only what is allowed anyway."""
        guarded = level == 0 and name.split(".")[0] == self.package
        if guarded:
            for wanted in fromlist or ("",):
                if not self._may(name, wanted):
                    self._refuse(f"{name}.{wanted}".rstrip("."))
        module = self._import(name, globals, locals, fromlist, level)
        if guarded:
            for wanted in fromlist or ():
                self._require_no_answers(getattr(module, wanted, None), f"{name}.{wanted}")
            if not fromlist:
                self._require_no_answers(sys.modules[name], name)
                return self._view_of(name)
        return module

    def _view_of(self, name: str) -> types.ModuleType:
        """Return a package that has only what was imported by `import package.module`."""
        for part in name.split(".")[1:2]:
            setattr(self._view, part, sys.modules[f"{self.package}.{part}"])
        return self._view

    def _require_no_answers(self, value: object, name: str) -> None:
        """A whole module of the reference would hand over all that it defines."""
        if isinstance(value, types.ModuleType) and self.denied & set(vars(value)):
            self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        raise ImportError(
            f"{name} belongs to the reference, which cannot be imported while grading: only what "
            "the lesson's own cells import can"
        )

    def _may(self, module: str, name: str) -> bool:
        if f"{module}:{name}" in self.allowed:
            return True
        if name in self.denied:
            return False
        if module in self.allowed:
            return True
        if name and f"{module}.{name}" in self.allowed:
            return True
        if any(f"{entry[:-2]}." in f"{module}." for entry in self.allowed if entry[-2:] == ".*"):
            return True
        return module == self.package and not name  # binds only the package's name
