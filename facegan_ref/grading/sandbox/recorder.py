"""What a cell shows, as the outputs that a notebook stores; what goes beyond the limits is cut."""

from __future__ import annotations

import io
import json
import os

from facegan_ref.grading.sandbox.limits import Limits

_ERROR_TEXT, _TRACEBACK_TEXT = 2_000, 20_000
_SMALL = 1_000  # characters: a plain result is kept whatever was shown before


class Recorder:
    """Collects the outputs of one cell after the other."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.start()

    def start(self) -> None:
        """Forget the last cell."""
        self.outputs: list[dict] = []
        self._text = self._pictures = 0
        self._full = False

    def stream(self, name: str, text: str) -> None:
        """Add printed text to the stream `name`, "stdout" or "stderr"."""
        room = self.limits.text - self._text
        self._text += len(text)
        if room <= 0 or not text:
            return
        if len(text) > room:
            text = f"{text[:room]}\n[output clipped after {self.limits.text} characters]\n"
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self._add({"output_type": "stream", "name": name, "text": text})

    def display(self, data: dict, metadata: dict) -> None:
        """Add a displayed object."""
        data, metadata = _plain(data), _plain(metadata)
        if self._fits(data, metadata):
            self._add({"output_type": "display_data", "data": data, "metadata": metadata})

    def result(self, data: dict, metadata: dict, count: int) -> None:
        """Add the value of the cell's last line."""
        data, metadata = _plain(data), _plain(metadata)
        if _size(data, metadata) >= _SMALL and not self._fits(data, metadata):
            data, metadata = {"text/plain": "[output left out: too much]"}, {}
        self.outputs.append(
            {
                "output_type": "execute_result",
                "data": data,
                "metadata": metadata,
                "execution_count": count,
            }
        )

    def error(self, name: str, message: str, traceback: list[str]) -> None:
        """Add an exception."""
        message = message[:_ERROR_TEXT]
        if sum(map(len, traceback)) > _TRACEBACK_TEXT:
            traceback = [f"{name}: {message}"]
        output = {"output_type": "error", "ename": name, "evalue": message}
        self.outputs.append({**output, "traceback": traceback})

    def clear(self) -> None:
        """Take away what the cell has shown; its errors stay."""
        self.outputs = [output for output in self.outputs if output["output_type"] == "error"]

    def _fits(self, data: dict, metadata: dict) -> bool:
        self._pictures += _size(data, metadata)
        return self._pictures <= self.limits.pictures

    def _add(self, output: dict) -> None:
        if len(self.outputs) < self.limits.displays:
            self.outputs.append(output)
        elif not self._full:
            self._full = True
            text = f"[more than {self.limits.displays} outputs: the rest is left out]\n"
            self.outputs.append({"output_type": "stream", "name": "stdout", "text": text})


def _plain(bundle: dict) -> dict:
    """Return `bundle` as JSON can store it: what an object says of itself may be anything."""
    try:
        return json.loads(json.dumps(bundle, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return {str(kind): str(value) for kind, value in bundle.items()}


def _size(*bundles: dict) -> int:
    return sum(len(str(value)) for bundle in bundles for value in bundle.values())


class RecordedStream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a cell."""

    encoding = "utf-8"

    def __init__(self, recorder: Recorder, name: str, descriptor: int) -> None:
        self._recorder, self._name, self._descriptor = recorder, name, descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._recorder.stream(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """Stay open: the next cell prints too."""


class DescriptorFile:
    """What is written past Python to a file descriptor, as C libraries do."""

    def __init__(self, descriptor: int, name: str, folder: str) -> None:
        self.name = name
        self._file = os.open(
            f"{folder}/.{name}", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600
        )
        os.unlink(f"{folder}/.{name}")
        os.dup2(self._file, descriptor)

    def take(self, most: int) -> str:
        """Return what came since the last call, at most `most` bytes of it, and forget it."""
        size = os.fstat(self._file).st_size
        if not size:
            return ""
        data = os.pread(self._file, most, 0)
        os.ftruncate(self._file, 0)
        return data.decode("utf-8", errors="replace")
