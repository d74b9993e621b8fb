"""What the entries of a ZIP are called, and which of them are not even looked into."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
from datetime import datetime

_NOISE = ("__MACOSX", ".DS_Store", ".ipynb_checkpoints", "__pycache__", "Thumbs.db", "desktop.ini")


def is_noise(parts: tuple[str, ...]) -> bool:
    """Whether no student made this file: resource forks, checkpoints, caches."""
    return any(part in _NOISE or part.startswith("._") for part in parts)


def parts_of(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The path of an entry, its letters as the packer meant them."""
    name = unicodedata.normalize("NFC", _decoded(info)).replace("\\", "/")
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 or Windows' letters without saying so."""
    name = info.orig_filename if "\0" not in info.orig_filename else info.filename
    if info.flag_bits & 0x800 or name.isascii():
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:  # this Python has read the name from a field of its own
        return name
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    for encoding in ("cp437", "cp1252"):
        text = raw.decode(encoding, "replace")
        if all(c.isascii() or unicodedata.name(c, "").startswith("LATIN") for c in text):
            return text
    return name


def why_refused(info: zipfile.ZipInfo) -> str:
    """Why an entry is not unpacked; an empty string when it can be."""
    name = _decoded(info).replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        return "its path leads out of the archive"
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is a link or a device, not a file"
    if info.flag_bits & 0x1:
        return "it is encrypted: ask for one without a password"
    # LZMA could ask for gigabytes before the first byte comes out.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is packed in an unusual way: ask for an ordinary ZIP"
    return ""


def modified(info: zipfile.ZipInfo) -> datetime | None:
    """When the packer says that the file was changed, in the packer's time zone."""
    try:
        return datetime(*info.date_time)
    except ValueError:
        return None
