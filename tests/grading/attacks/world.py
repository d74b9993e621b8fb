"""What lies around the sandbox and must stay as it was: secrets, files, sockets, processes.

Everything here is real: a listening socket, a key in a home folder, a password in the environment
of the process that grades. All of it is made for the test, so that a hole harms nobody.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SECRET = re.compile(r"hush-[0-9a-f]{24}")
BREACH = "BREACH:"
LATCH = """
import os
try:
    isolated = os.readlink("/proc/self/ns/pid") != "{namespace}"
except OSError:
    isolated = os.getpid() < 50
assert isolated, "not isolated from this machine: the attack is left out"
"""


@dataclass
class World:
    """The surroundings of one course folder; `words` are what the hand-ins know of them."""

    course: Path
    lesson: str
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    visits: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    @property
    def gradebook(self) -> Path:
        return self.course / ".grading" / "gradebook.db"

    def hand_in(self, student: str) -> Path:
        return self.course / ".grading" / "submitted" / student / self.lesson

    def traces(self) -> list[str]:
        """Return what was left behind: marks outside, visits to the sockets, living processes."""
        files = [f"file {path.name}" for path in sorted(self.marks.iterdir())]
        for path in sorted(path for path in self.home.rglob("*") if path.is_file()):
            name = path.relative_to(self.home)
            # Libraries of the grading process itself may keep caches there.
            own = name.parts[0] in (".cache", ".config", ".ipython", ".local")
            marked = self.words["tag"] in f"{name}{path.read_text(errors='replace')}"
            if marked or not (own or name.name == "id_ed25519"):
                files.append(f"file {name} in the home folder")
        return files + self.visits + [f"process {pid}" for pid in processes(self.words["tag"])]

    def secrets_in(self, text: str) -> list[str]:
        """Return the places whose secrets stand in `text`."""
        return [place for place, secret in self.secrets.items() if secret in text]


def processes(tag: str) -> list[int]:
    """Return the living processes which carry `tag` in name, command line or environment."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        for name in ("comm", "cmdline", "environ"):
            try:
                if tag.encode() in Path(entry.path, name).read_bytes():
                    found.append(int(entry.name))
                    break
            except OSError:
                continue  # it ended meanwhile, or is another user's
    return found


def gradebook_rows(path: Path) -> list[tuple]:
    """Return each grade in the gradebook: student, cell, score of the checks, by hand, extra."""
    question = """
        select submitted_assignment.student_id, base_cell.name,
               grade.auto_score, grade.manual_score, grade.extra_credit
        from grade
        join base_cell on base_cell.id = grade.cell_id
        join submitted_notebook on submitted_notebook.id = grade.notebook_id
        join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
        order by 1, 2
    """
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return list(database.execute(question))


@contextmanager
def surroundings(course: Path, lesson: str, folder: Path) -> Iterator[World]:
    """Set up a world around `course`, with its sockets open and its secrets in the environment."""
    world = World(course, lesson, folder)
    for place in ("environment", "home", "tmp", "neighbour"):
        world.secrets[place] = f"hush-{secrets.token_hex(12)}"
    world.marks.mkdir(parents=True)
    world.marks.chmod(0o777)
    (world.home / ".ssh").mkdir(parents=True)
    (world.home / ".ssh" / "id_ed25519").write_text(world.secrets["home"])
    (folder / "notes.txt").write_text(world.secrets["tmp"])

    changed = {"HOME": str(world.home), "COURSE_PASSWORD": world.secrets["environment"]}
    before = {name: os.environ.get(name) for name in changed}
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(folder / "unix.sock"))
        (folder / "unix.sock").chmod(0o777)
        name = f"facegan-{secrets.token_hex(6)}"
        abstract.bind(f"\0{name}")
        for server in (unix, abstract):
            server.listen()
        world.words = _words(world, tcp.getsockname()[1], udp.getsockname()[1], name)
        os.environ.update(changed)
        try:
            yield world
        finally:
            for variable, value in before.items():
                os.environ.pop(variable) if value is None else os.environ.update({variable: value})
            # What came meanwhile waits in the system's queues.
            for kind, server in (("tcp", tcp), ("unix", unix), ("abstract", abstract)):
                server.setblocking(False)
                with suppress(OSError):
                    server.accept()[0].close()
                    world.visits.append(f"{kind} connection")
            udp.setblocking(False)
            with suppress(OSError):
                world.visits.append(f"udp datagram {udp.recv(100)!r}")


def _words(world: World, tcp: int, udp: int, abstract: str) -> dict[str, str]:
    return {
        "breach": '"BREA" "CH:"',
        "hush": '"-hsuh"[::-1]',
        "tag": f"fg{secrets.token_hex(6)}",  # a process's name has at most 15 letters
        "latch": LATCH.format(namespace=_namespace()),
        "course": str(world.course),
        "lesson": world.lesson,
        "gradebook": str(world.gradebook),
        "neighbours_secret": world.secrets["neighbour"],
        "neighbour": str(world.hand_in("neighbour") / f"{world.lesson}.ipynb"),
        "solutions": str(world.course / "solutions"),
        "home": str(world.home),
        "notes": str(world.folder / "notes.txt"),
        "marks": str(world.marks),
        "tcp": str(tcp),
        "udp": str(udp),
        "unix": str(world.folder / "unix.sock"),
        "abstract": abstract,
    }


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
