"""Attacks that take too much: memory, disk, processes, time, output. Each stops at a bound."""

from __future__ import annotations

from hand_ins import attack

attack(
    "memory",
    "fills 3 GB of memory",
    cells={
        "3.1": """
import numpy
hoard = numpy.ones(3 * 2**27)
print($breach, hoard.nbytes)
"""
    },
    says="emory",
)
attack(
    "memory-in-small-pieces",
    "fills 3 GB of memory piece by piece, and keeps on when it fails",
    cells={
        "3.1": """
hoard = []
for step in range(3000):
    try:
        hoard.append(bytearray(b"x") * 2**20)
    except MemoryError:
        pass
print(*([$breach] if len(hoard) > 2900 else []), len(hoard))
"""
    },
)
attack(
    "memory-of-many",
    "six processes fill half a gigabyte each, and wait for each other",
    cells={
        "3.1": """
$latch
import time
reader, writer = os.pipe()
stop = time.time() + 20
for number in range(6):
    if os.fork() == 0:
        hoard = bytearray(b"x") * 2**29
        os.write(writer, b"x")
        while time.time() < stop:
            time.sleep(0.1)
        os._exit(0)
os.close(writer)
full = 0
while full < 6 and os.read(reader, 1):
    full += 1
print(*([$breach, "3 GB by children"] if full == 6 else []), full)
"""
    },
)
attack(
    "memory-in-files-without-a-name",
    "fills 2 GB of memory through files that have no name, and pipes",
    cells={
        "3.1": """
import os
total, hoard = 0, []
try:
    while total < 2 * 2**30:
        number = os.memfd_create("x")
        hoard.append(number)
        for step in range(64):
            total += os.write(number, b"x" * 2**20)
except OSError as error:
    print(error)
print(*([$breach] if total >= 2 * 2**30 else []), total)
"""
    },
)
attack(
    "memory-shared",
    "fills 2 GB of shared memory that outlives its process",
    cells={
        "3.1": """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
libc.shmdt.argtypes = [ctypes.c_void_p]
total = 0
for step in range(16):
    segment = libc.shmget(0, 2**27, 0o1600)
    if segment < 0:
        break
    place = libc.shmat(segment, None, 0)
    if place in (None, 2**64 - 1):
        break
    ctypes.memset(place, 1, 2**27)
    libc.shmdt(place)
    total += 2**27
print(*([$breach] if total >= 2**31 else []), total)
"""
    },
)
attack(
    "disk",
    "writes 500 MB wherever it can, in one file and in many",
    cells={
        "3.1": """
import os, tempfile
piece = b"x" * 2**20
for place in {".", "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), tempfile.gettempdir()}:
    total = 0
    try:
        for number in range(500):
            with open(f"{place}/large-{number // 50}", "ab") as file:
                total += file.write(piece)
    except OSError as error:
        print(place, error)
    print(*([$breach, place] if total >= 500 * 2**20 else []), total)
"""
    },
)
attack(
    "disk-in-many-files",
    "makes 200 000 empty files and a folder 2000 folders deep",
    cells={
        "3.1": """
import os
made = 0
try:
    for number in range(200_000):
        os.close(os.open(f"f{number}", os.O_CREAT))
        made += 1
except OSError as error:
    print(error)
print(*([$breach] if made == 200_000 else []), made)
try:
    for number in range(2000):
        os.mkdir("d")
        os.chdir("d")
except OSError as error:
    print(error)
"""
    },
)
attack(
    "forks",
    "starts 400 processes that wait",
    cells={
        "3.1": """
$latch
import time
started = 0
stop = time.time() + 60
try:
    for number in range(400):
        if os.fork() == 0:
            while time.time() < stop:
                time.sleep(1)
            os._exit(0)
        started += 1
except OSError as error:
    print(error)
print(*([$breach] if started == 400 else []), started)
"""
    },
)
attack(
    "threads",
    "starts 2000 threads that wait",
    cells={
        "3.1": """
import threading, time
started = 0
try:
    for number in range(2000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        started += 1
except RuntimeError as error:
    print(error)
print(*([$breach] if started == 2000 else []), started)
"""
    },
)
attack(
    "fork-bomb",
    "each process starts two more, for a minute",
    cells={
        "3.1": """
$latch
import time
stop = time.time() + 60
while time.time() < stop:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""
    },
    hurried=True,
)
attack(
    "descriptors",
    "opens 100 000 files",
    cells={
        "3.1": """
import os
number, hoard = 0, []
try:
    while number < 100_000:
        hoard.append(os.dup(0))
        number += 1
except OSError as error:
    print(error)
print(*([$breach] if number == 100_000 else []), number)
"""
    },
)
