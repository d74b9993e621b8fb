"""Messages over a socket: JSON behind its length."""

from __future__ import annotations

import json
import math
import socket
import struct

MAX_BYTES = 48 * 2**20
_LENGTH = struct.Struct("!I")


class BrokenChannel(Exception):
    """The other side is gone."""


class Garbage(BrokenChannel):
    """What came is no message."""


def send(channel: socket.socket, message: dict) -> None:
    """Send `message`."""
    data = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    channel.sendall(_LENGTH.pack(len(data)) + data)


def is_answer(message: dict) -> bool:
    """Whether a message is what `runner.Runner` answers; the student's code shares its process."""
    points, count = message.get("points"), message.get("count")
    found, outputs = message.get("found"), message.get("outputs")
    return (
        (points is None or (type(points) is float and math.isfinite(points)))
        and type(message.get("direct")) is bool
        and (count is None or type(count) is int)
        and _are_texts(found)
        and isinstance(outputs, list)
        and all(map(_is_output, outputs))
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_output(output: object) -> bool:
    if not isinstance(output, dict):
        return False
    kind = output.get("output_type")
    if kind == "stream":
        return output.get("name") in ("stdout", "stderr") and isinstance(output.get("text"), str)
    if kind == "error":
        texts = isinstance(output.get("ename"), str) and isinstance(output.get("evalue"), str)
        return texts and _are_texts(output.get("traceback"))
    if kind in ("display_data", "execute_result"):
        bundles = isinstance(output.get("data"), dict) and isinstance(output.get("metadata"), dict)
        return bundles and (kind == "display_data" or type(output.get("execution_count")) is int)
    return False


class Reader:
    """Reads messages as they arrive, in pieces of any size."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._data = bytearray()

    def feed(self) -> dict | None:
        """Read what is there; return a message when one is complete.

        Raises:
            BrokenChannel: when there will be no other message (`Garbage`: the last was none).
        """
        try:
            data = self._channel.recv(1 << 20)
        except OSError as error:
            raise BrokenChannel(str(error)) from error
        if not data:
            raise BrokenChannel("closed")
        self._data += data
        if len(self._data) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._data)
        if length > MAX_BYTES:
            raise Garbage(f"a message of {length} bytes")
        end = _LENGTH.size + length
        if len(self._data) < end:
            return None
        content = bytes(self._data[_LENGTH.size : end])
        del self._data[:end]
        try:
            message = json.loads(content)
        except ValueError as error:
            raise Garbage("no JSON") from error
        if not isinstance(message, dict):
            raise Garbage("no message")
        return message

    def read(self) -> dict:
        """Wait for a message and return it."""
        while True:
            message = self.feed()
            if message is not None:
                return message
