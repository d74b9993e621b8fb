"""What texts and numbers in a cell come to, worked out without running any of it.

`"face" + "gan_ref"`, `"".join(map(chr, codes))` and `base64.b64decode(…)` are texts as good as
written ones. Only operations whose result cannot grow beyond `MAX_SIZE` are done.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import itertools
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

MAX_SIZE = 200_000
MAX_ITEMS = 4_000
GAP = "\0"
"""Stands in a text for a part that is not known: `f"{name}.py"`."""

PLAIN = (str, bytes, int, bool, type(None))


class Lit(NamedTuple):
    """A known text, number or sequence of them (as a tuple)."""

    value: Any


class Unknown(Exception):
    """The result is not known, or too large to be worked out."""


def small(value: object) -> object:
    """Return `value`, lists as tuples, when it is one of those that are followed.

    Raises:
        Unknown: when it is not, or too large.
    """
    room = [MAX_ITEMS]

    def take(thing: object) -> object:
        room[0] -= 1
        if room[0] < 0:
            raise Unknown
        if isinstance(thing, (list, tuple)):
            return tuple(take(item) for item in thing)
        if isinstance(thing, bytearray):
            thing = bytes(thing)
        if not isinstance(thing, PLAIN):
            raise Unknown
        if isinstance(thing, (str, bytes)) and len(thing) > MAX_SIZE:
            raise Unknown
        if isinstance(thing, int) and abs(thing) > 2**64:
            raise Unknown
        return thing

    return take(value)


def operate(operator: ast.operator, left: Any, right: Any) -> Any:
    """Return `left operator right`."""
    numbers = isinstance(left, int) and isinstance(right, int)
    if isinstance(operator, ast.Add) and (numbers or type(left) is type(right)):
        return small(left + right)
    if isinstance(operator, ast.Mult) and not numbers:
        thing, times = (left, right) if isinstance(right, int) else (right, left)
        if isinstance(times, int) and isinstance(thing, (str, bytes, tuple)):
            if len(thing) * max(times, 0) > (MAX_ITEMS if isinstance(thing, tuple) else MAX_SIZE):
                raise Unknown
            return small(thing * times)
        raise Unknown
    if isinstance(operator, ast.Mod) and isinstance(left, str):
        parts = right if isinstance(right, tuple) else (right,)
        if re.search(r"%[^sdrc%]", left) or _weight(parts) > MAX_SIZE:
            raise Unknown
        return small(left % parts)
    if numbers and isinstance(operator, (ast.Sub, ast.BitXor, ast.Mod, ast.Mult, ast.FloorDiv)):
        done = {
            ast.Sub: int.__sub__,
            ast.BitXor: int.__xor__,
            ast.Mod: int.__mod__,
            ast.Mult: int.__mul__,
            ast.FloorDiv: int.__floordiv__,
        }[type(operator)]
        return small(done(left, right))
    raise Unknown


def _weight(parts: Sequence[Any]) -> int:
    """Return how long the parts of a text are together; only plain ones are taken."""
    if not all(isinstance(part, PLAIN) for part in parts):
        raise Unknown
    return sum(len(part) if isinstance(part, (str, bytes)) else 20 for part in parts)


def compare(operator: ast.cmpop, left: Any, right: Any) -> bool:
    """Return whether a comparison of two known things holds."""
    done = {
        ast.Eq: lambda: left == right,
        ast.NotEq: lambda: left != right,
        ast.In: lambda: left in right,
        ast.NotIn: lambda: left not in right,
    }.get(type(operator))
    if done is None:
        raise Unknown
    return done()


def item(thing: Any, index: Any) -> Any:
    """Return `thing[index]`; `index` is a number or a slice."""
    if not isinstance(thing, (str, bytes, tuple)) or not isinstance(index, (int, slice)):
        raise Unknown
    return small(thing[index])


_ENCODINGS = re.compile(
    r"rot_?13|utf_?(8|16|32)(_[lb]e)?|ascii|latin_?1|iso8859_1|hex|base64|unicode_escape|cp1252"
)


def _recode(data: Any, name: str = "utf-8") -> Any:
    """Decode bytes, or encode a text; what works on one kind only (rot13) works either way."""
    if not _ENCODINGS.fullmatch(name.lower().replace("-", "_")):
        raise Unknown
    if isinstance(data, bytes) or re.match("rot", name.lower()):
        return codecs.decode(data, name)
    return codecs.encode(data, name)


_TEXT_METHODS = {
    "lower", "upper", "title", "swapcase", "casefold", "capitalize", "strip", "lstrip", "rstrip",
    "removeprefix", "removesuffix", "split", "rsplit", "splitlines", "partition", "rpartition",
    "hex",
}  # fmt: skip


def method(thing: Any, name: str, arguments: Sequence[Any]) -> Any:
    """Return `thing.name(*arguments)` for the methods of texts that only rearrange them."""
    if not isinstance(thing, (str, bytes)):
        raise Unknown
    if name == "join" and len(arguments) == 1 and isinstance(arguments[0], (tuple, str)):
        parts = arguments[0]
        if _weight(parts) + len(thing) * len(parts) > MAX_SIZE:
            raise Unknown
        return small(thing.join(parts))
    if name == "replace" and len(arguments) == 2:
        if thing.count(arguments[0]) * len(arguments[1]) > MAX_SIZE:
            raise Unknown
        return small(thing.replace(*arguments))
    if name == "format" and not re.search(r"\{[^}]*[:!.\[]", thing):
        if _weight(arguments) * max(thing.count("{"), 1) > MAX_SIZE:
            raise Unknown
        return small(thing.format(*arguments))
    if name in ("decode", "encode"):
        return small(_recode(thing, *arguments[:1]))
    if name in _TEXT_METHODS:
        return small(getattr(thing, name)(*arguments))
    raise Unknown


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, MAX_SIZE)


def _numbers(*limits: int) -> tuple[int, ...]:
    numbers = range(*limits)
    if len(numbers) > MAX_ITEMS // 2:
        raise Unknown
    return tuple(numbers)


def _octets(value: Any = b"", *encoding: str) -> bytes:
    if isinstance(value, int):
        raise Unknown
    return bytes(value, *encoding)


_FUNCTIONS: dict[str, Callable] = {
    "builtins.chr": chr,
    "builtins.ord": ord,
    "builtins.str": lambda *a: str(*a) if a and isinstance(a[0], (str, int, bytes)) else "",
    "builtins.int": lambda text, *base: int(text[:40] if isinstance(text, str) else text, *base),
    "builtins.len": len,
    "builtins.bytes": _octets,
    "builtins.bytearray": _octets,
    "builtins.list": tuple,
    "builtins.tuple": tuple,
    "builtins.sorted": sorted,
    "builtins.reversed": lambda value: tuple(reversed(value)),
    "builtins.range": _numbers,
    "builtins.zip": lambda *parts: tuple(
        itertools.islice(zip(*parts, strict=False), MAX_ITEMS + 1)
    ),
    "builtins.enumerate": lambda *a: tuple(enumerate(*a)),
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": bytes.fromhex,
    "builtins.str.join": lambda thing, parts: method(thing, "join", [parts]),
    "builtins.str.lower": str.lower,
    "builtins.str.strip": str.strip,
    "base64.b64decode": base64.b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": base64.a85decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.decodebytes": base64.decodebytes,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.a2b_hex,
    "binascii.a2b_base64": binascii.a2b_base64,
    "codecs.decode": lambda data, name="utf-8": _recode(data, name),
    "codecs.encode": lambda data, name="utf-8": _recode(data, name),
    "zlib.decompress": lambda data, *_: _inflate(data),
    "os.path.join": lambda *parts: "/".join(parts),
    "os.fspath": lambda path: path,
    "pathlib.Path": lambda *parts: "/".join(parts),
    "pathlib.PurePath": lambda *parts: "/".join(parts),
}


def call(path: str, arguments: Sequence[Any]) -> Any:
    """Return what the function at `path` makes of known arguments."""
    if path not in _FUNCTIONS:
        raise Unknown
    return small(_FUNCTIONS[path](*arguments))


def size(*values: Any) -> int:
    """Return about how much work it is to handle `values`, in steps."""
    letters = sum(len(v) for v in values if isinstance(v, (str, bytes)))
    items = sum(len(v) for v in values if isinstance(v, tuple))
    return 1 + letters // 50 + items // 10


def attempt(function: Callable, *arguments: Any) -> list[Lit]:
    """Return the result as a list of one, empty when it is not known or an error."""
    try:
        return [Lit(function(*arguments))]
    except Exception:
        return []


def combinations(*choices: Sequence[Any]) -> list[tuple]:
    """Return the ways to take one of each, the first few."""
    return list(itertools.islice(itertools.product(*choices), 16))
