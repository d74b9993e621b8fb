"""Attacks that reach out: files of others, notes for friends, the network."""

from __future__ import annotations

from hand_ins import attack
from looking import PROBE

attack(
    "overwrites-a-neighbour",
    "overwrites and deletes what others handed in",
    cells={
        "3.1": PROBE
        + """
import glob, os, shutil
def overwrite(path):
    with open(path, "w") as file:
        return file.write("{}")
for path in ["$neighbour", *glob.glob("../*/*.ipynb"), *glob.glob("../../*/*/*.ipynb")]:
    probe("overwrites " + path, lambda: overwrite(path))
    probe("deletes " + path, lambda: os.remove(path) is None)
    probe("removes " + path, lambda: shutil.rmtree(os.path.dirname(path)) is None)
"""
    },
)
attack(
    "writes-outside",
    "leaves files wherever the next student, or the instructor, would run into them",
    cells={
        "3.1": PROBE
        + """
import facegan_ref, glob, os, site, sys, sysconfig
package = facegan_ref.__path__[0]
places = ["$marks", "$home", "$home/.ssh", "$course", "$course/.grading", "/etc", "/usr/local/bin",
          package, package + "/checks", package + "/checks/__pycache__", package + "/__pycache__",
          sys.prefix, os.path.dirname(sys.executable), *site.getsitepackages(),
          sysconfig.get_path("stdlib"), "/proc/1/cwd", "/proc/1/root/tmp", "/sys/fs/cgroup"]
for place in places:
    def write():
        path = place + "/$tag.pth"
        with open(path, "w") as file:
            file.write("import os")
        return os.path.exists("$marks") or os.path.samefile(place, place)
    probe("writes into " + place, write)
probe("appends to .bashrc", lambda: open("$home/.bashrc", "a").write("echo $tag"))
for path in glob.glob(package + "/checks/__pycache__/*.pyc")[:3] + glob.glob(package + "/*.py")[:3]:
    probe("changes " + path, lambda: os.open(path, os.O_WRONLY) > 0)
    probe("makes writable " + path, lambda: os.chmod(path, 0o777) is None)
"""
    },
)
NOTE = """
import ctypes, glob, os, socket, tempfile
TAG, FOUND = "$tag", []
def leave(what, look, write):
    try:
        if look():
            print($breach, "found what another student left:", what)
    except Exception:
        pass
    try:
        write()
    except Exception as error:
        print(what, error)
home = os.path.expanduser("~")
for place in {"/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", home, os.getcwd(), "..",
              tempfile.gettempdir(), home + "/.ipython/profile_default/startup",
              home + "/.cache", home + "/.config/matplotlib", os.environ.get("TORCH_HOME", "/tmp")}:
    path = f"{place}/left-{TAG}"
    leave(path, lambda: os.path.exists(path), lambda: open(path, "w").write(TAG))
libc = ctypes.CDLL(None)
KEY = int(TAG[2:8], 16)
leave("shared memory", lambda: libc.shmget(KEY, 64, 0o666) >= 0,
      lambda: libc.shmget(KEY, 64, 0o1666))
leave("semaphore", lambda: libc.semget(KEY, 1, 0o666) >= 0, lambda: libc.semget(KEY, 1, 0o1666))
leave("message queue", lambda: libc.msgget(KEY, 0o666) >= 0, lambda: libc.msgget(KEY, 0o1666))
ADD_KEY, REQUEST_KEY = 248, 249
for ring in (-4, -5):
    leave(f"keyring {ring}",
          lambda: libc.syscall(REQUEST_KEY, b"user", TAG.encode(), None, 0) > 0,
          lambda: libc.syscall(ADD_KEY, b"user", TAG.encode(), b"note", 4, ring))
def listen():
    global server
    server = socket.socket(socket.AF_UNIX)
    server.bind("\\0" + TAG)
    server.listen()
def visit():
    socket.socket(socket.AF_UNIX).connect("\\0" + TAG)
    return True
leave("socket", visit, listen)
import builtins, torch, sys
for thing in (builtins, torch, sys, os, type(get_ipython())):
    leave(f"{thing}", lambda: hasattr(thing, "left_" + TAG),
          lambda: setattr(thing, "left_" + TAG, True))
"""
attack("leaves-notes-1", "leaves notes for a friend who is graded later", cells={"3.1": NOTE})
attack("leaves-notes-2", "looks for the notes of a friend, and leaves more", cells={"3.1": NOTE})

attack(
    "network",
    "calls the instructor's machine and the internet",
    cells={
        "3.1": PROBE
        + """
import os, socket, urllib.request
socket.setdefaulttimeout(1)
def udp():
    caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return caller.sendto(b"$tag", ("127.0.0.1", $udp))
def unix(address):
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(address)
    return caller.send(b"$tag")
def raw():
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
probe("tcp", lambda: socket.create_connection(("127.0.0.1", $tcp)))
probe("tcp6", lambda: socket.create_connection(("::1", $tcp)))
udp_sent = [udp() for _ in range(3)] if os.path.exists("/sys/class/net/lo") else None
probe("unix", lambda: unix("$unix"))
probe("abstract", lambda: unix("\\0$abstract"))
probe("raw", raw)
probe("web", lambda: urllib.request.urlopen("http://127.0.0.1:$tcp", timeout=1))
probe("outside", lambda: socket.create_connection(("1.1.1.1", 53)))
probe("names", lambda: socket.getaddrinfo("example.org", 80))
probe("interfaces", lambda: [name for _, name in socket.if_nameindex() if name != "lo"])
"""
    },
)
