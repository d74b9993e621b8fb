"""What a hand-in may use while it is graded."""

from __future__ import annotations

from dataclasses import dataclass

MB = 2**20


@dataclass(frozen=True)
class Limits:
    """The most that the processes of one hand-in may use together, unless it says otherwise.

    Attributes:
        total_seconds: processor time for the whole notebook.
        memory: bytes beyond what the warm process has already.
        processes: processes and threads.
        file: bytes of one file.
        folder: bytes of the private folder, which lies in memory.
        text: characters that one cell may print.
        pictures: characters that the pictures of one cell may take (base64).
        displays: outputs of one cell.
    """

    total_seconds: float = 120.0
    memory: int = 2048 * MB
    processes: int = 96
    file: int = 64 * MB
    folder: int = 128 * MB
    text: int = 200_000
    pictures: int = 4_000_000
    displays: int = 200
