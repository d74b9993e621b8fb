"""Messages over a socket: JSON behind its length."""

from __future__ import annotations

import json
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
