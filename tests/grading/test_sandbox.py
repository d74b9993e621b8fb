"""The sandbox holds: what a cell may not see, reach, use up or leave behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from facegan_ref.grading.execute import ALWAYS_ALLOWED
from facegan_ref.grading.sandbox import (
    IsolationUnavailable,
    Limits,
    Reply,
    Session,
    isolation_problem,
    session,
    warm_process,
)

REPOSITORY = Path(__file__).resolve().parents[2]
MB = 2**20

problem = isolation_problem()
pytestmark = pytest.mark.skipif(bool(problem), reason=problem or "isolated")


def said(reply: Reply) -> str:
    """Everything that a cell showed, as text."""
    return "".join(
        output.get("text") or output.get("evalue") or output.get("data", {}).get("text/plain", "")
        for output in reply.outputs
    )


def run(source: str, seconds: float = 5.0, files: Path | None = None, **limits: int) -> Reply:
    """Run one cell in a sandbox of its own."""
    with Session(isolate=True, limits=Limits(**limits), files=files) as sandbox:
        return sandbox.run({"kind": "cell", "source": textwrap.dedent(source)}, seconds)


def run_two(first: str, seconds: float = 1.0, **limits: int) -> tuple[Reply, Reply]:
    """Run a cell, and one after it that shows whether the notebook can go on."""
    with Session(isolate=True, limits=Limits(**limits)) as sandbox:
        cell = {"kind": "cell", "source": textwrap.dedent(first)}
        return sandbox.run(cell, seconds), sandbox.run({"kind": "cell", "source": "6 * 7"}, 5)


def test_the_host_is_out_of_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "gradebook.db"
    secret.write_text("the secret")
    monkeypatch.setenv("FACEGAN_SECRET", "the secret")
    places = [secret, tmp_path, Path.home() / ".bashrc", REPOSITORY / "solutions",
              REPOSITORY / ".git", "/home", "/var", "/run", "/proc/1/root", "/proc/1/fd",
              "/proc/1/environ", "/proc/1/mem", "/usr/bin", "/sys", "/boot"]  # fmt: skip
    source = f"""
        import os
        for place in {[str(place) for place in places]}:
            try:
                print("SEEN", place, os.listdir(place) if os.path.isdir(place) else open(place).read(9))
            except OSError:
                pass
        print(os.environ, open("/proc/self/environ").read())
        print(os.listdir(os.getcwd()), os.getpid())
    """  # noqa: E501
    text = said(run(source))
    assert "SEEN" not in text and "secret" not in text
    assert text.endswith("[] 2\n")  # an empty folder, and no other process but the keeper


def test_nothing_can_be_written_but_in_the_folder_of_its_own(tmp_path: Path) -> None:
    package = REPOSITORY / "facegan_ref" / "left_behind.py"
    places = ["/x", "/usr/lib/x", "/dev/x", "/proc/sys/kernel/hostname", str(package)]
    source = f"""
        for place in {places} + ["mine", "/tmp/mine"]:
            try:
                open(place, "w").write("x")
                print(place)
            except OSError:
                pass
    """
    assert said(run(source)).split() == ["mine", "/tmp/mine"]
    assert not package.exists()


def test_files_beside_the_notebook_come_along(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "numbers.csv").write_text("1,2,3")
    (tmp_path / "other.ipynb").write_text("{}")
    (tmp_path / "link").symlink_to("/etc/passwd")
    source = "import os; print(sorted(os.listdir()), open('data/numbers.csv').read())"
    assert said(run(source, files=tmp_path)) == "['data'] 1,2,3\n"


def test_there_is_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        source = f"""
            import socket
            for place in [("127.0.0.1", {server.getsockname()[1]}), ("8.8.8.8", 53)]:
                try:
                    socket.create_connection(place, timeout=2)
                    print("connected")
                except OSError as error:
                    print(error.errno)
        """
        assert said(run(source)).split() == ["101", "101"]  # ENETUNREACH
        with pytest.raises(TimeoutError):
            server.accept()


def test_new_namespaces_and_mounts_are_refused() -> None:
    source = """
        import ctypes, os
        libc = ctypes.CDLL(None)
        print(libc.unshare(0x10000000), libc.mount(b"/", b"/tmp", None, 4096, None),
              libc.ptrace(16, 1, 0, 0), libc.chroot(b"/tmp"), libc.setuid(0), os.getuid() == 0)
    """
    assert said(run(source)) == "-1 -1 -1 -1 -1 False\n"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = []\nwhile True: x.append(bytearray(10**8))", "more than 256 MB of memory"),
        (
            "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
            "        x = bytearray(b'x') * (9 * 10**7)\n        time.sleep(60)\ntime.sleep(5)",
            "more than 256 MB of memory",
        ),
        ("import os; os._exit(0)", "Python itself stopped"),
        ("import ctypes; ctypes.string_at(0)", "Python itself stopped"),
        ("import os; os.abort()", "Python itself stopped"),
        ("import os; os.closerange(0, 300)", "Python itself stopped"),
        (
            "import os\nfor n in range(3, 300):\n    try: os.write(n, b'\\0\\0\\0\\2{}' * 9)\n"
            "    except OSError: pass",
            "wrote into the connection",
        ),
        ("import signal; signal.signal(2, signal.SIG_IGN)\nwhile True: pass", "not be interrupted"),
        ("sum(range(10**12))", "could not be interrupted"),
    ],
)
def test_what_ends_a_notebook_is_named(source: str, why: str) -> None:
    first, second = run_two(source, memory=256 * MB)
    assert why in first.stopped and why in second.stopped
    assert first.points is None


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "while True: print('x' * 1000)",
        "import os\nwhile True:\n    try: os.write(1, b'x' * 10000)\n    except OSError: pass",
        "from IPython.display import display\nwhile True: display(1)",
    ],
)
def test_an_endless_cell_costs_only_itself(source: str) -> None:
    first, second = run_two(source, seconds=0.5)
    assert first.interrupted and not first.stopped
    assert said(second) == "42"
    assert len(str(first.outputs)) < 300_000


def test_a_loop_that_catches_the_interrupt_ends_too() -> None:
    loop = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    first, second = run_two(loop, seconds=0.5)
    assert first.interrupted
    assert said(second) == "42" or "could not be interrupted" in first.stopped


@pytest.mark.parametrize(
    "source",
    [
        "open('big', 'wb').write(bytes(10**9))",
        "for n in range(99): open(f'f{n}', 'wb').write(bytes(5 * 10**6))",
        "for n in range(10**5): open(f'f{n}', 'w').close()",
        "import threading, time\n"
        "for _ in range(999): threading.Thread(target=time.sleep, args=(60,)).start()",
        "import torch; torch.ones(10**11)",
        "import os; os.kill(1, 9)",
        "import os; os.kill(-1, 9)",
    ],
)
def test_limits_are_errors_of_the_cell(source: str) -> None:
    first, second = run_two(source, seconds=5)
    assert [output["output_type"] for output in first.outputs] == ["error"]
    assert said(second) == "42"


def test_a_fork_bomb_is_bounded_and_does_not_answer() -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: break"
    _, second = run_two(bomb, seconds=5)
    assert said(second) == "42"


def test_what_cannot_be_stored_is_shown_as_text() -> None:
    odd = """
        from IPython.display import display
        class Odd:
            def _repr_mimebundle_(self, **_):
                return {"text/plain": "odd", "application/json": {"x": float("nan"), "y": {1, 2}}}
        display(Odd())
        print("\\ud800")
        raise ValueError("\\udfff")
    """
    reply = run(odd)
    assert [output["output_type"] for output in reply.outputs] == [
        "display_data",
        "stream",
        "error",
    ]
    assert str(reply.outputs).encode()


IMPORTS = {
    "import facegan_ref; facegan_ref.losses": "AttributeError",
    "import facegan_ref.figures; facegan_ref.losses": "AttributeError",
    "import facegan_ref.losses": "ImportError",
    "from facegan_ref import losses": "ImportError",
    "from facegan_ref.losses import discriminator_loss": "ImportError",
    "from facegan_ref.checks import engine": "ImportError",
    "import facegan_ref.figures as f; f.BLUE": "",
    "import facegan_ref.data.faces; facegan_ref.data.faces.to_tanh_range": "",
    "from facegan_ref.data.toyfaces import ToyFaces": "",
    "from facegan_ref.checks import grade, hint": "",
    "from facegan_ref.steps import generator_step": "",
}


@pytest.mark.parametrize("source", IMPORTS)
def test_what_may_be_imported_of_the_package(source: str) -> None:
    allowed = [*ALWAYS_ALLOWED, "facegan_ref.steps:generator_step"]
    with Session(isolate=True, allowed=allowed, denied=["discriminator_loss"]) as sandbox:
        reply = sandbox.run({"kind": "cell", "source": source}, 5)
    errors = [o["ename"] for o in reply.outputs if o["output_type"] == "error"]
    assert errors == [IMPORTS[source]] * bool(IMPORTS[source])


@pytest.mark.parametrize("slip", ["torch.manual_seed = 42", "torch.load = print"])
def test_honest_slips_are_put_back_and_cost_nothing(slip: str) -> None:
    with Session(isolate=True) as sandbox:
        answer = (
            "def f(r, f): return (torch.logaddexp(-r, r * 0) + torch.logaddexp(f, f * 0)).mean()"
        )
        cell = f"import torch, torch.nn.functional as F\n{slip}\n{answer}"
        sandbox.run({"kind": "cell", "source": cell}, 5)
        check = {"kind": "check", "source": "grade('3.1', f)", "task": "3.1", "fresh": False}
        reply = sandbox.run({**check, "seed": 3, "points": 4}, 30)
    assert reply.points == 4 and len(reply.found) >= 1


BORROWED = [
    "def f(r, f): return L.discriminator_loss(r, f)",
    "def f(r, f, g=L.discriminator_loss): return g(r, f)",
    "import types; f = types.FunctionType(L.discriminator_loss.__code__, {'F': torch})",
    "import functools; f = functools.partial(L.discriminator_loss)",
    "exec(compile(open(L.__file__).read(), L.__file__, 'exec')); f = discriminator_loss; del L",
    "kept = [{'it': (L,)}]; f = lambda r, f: kept[0]['it'][0].discriminator_loss(r, f)",
]


@pytest.mark.parametrize("answer", [*BORROWED, "del L; f = lambda r, f: r.mean()"])
def test_who_holds_the_reference_gets_no_points(answer: str) -> None:
    with Session(isolate=True, denied=["discriminator_loss"]) as sandbox:
        source = f"import sys, torch; L = sys.modules['facegan_ref.losses']\n{answer}"
        sandbox.run({"kind": "cell", "source": source}, 5)
        check = {"kind": "check", "source": "grade('3.1', f)", "task": "3.1", "fresh": False}
        reply = sandbox.run({**check, "seed": 3, "points": 4}, 30)
    refused = [o["evalue"] for o in reply.outputs if o["output_type"] == "error"]
    if answer in BORROWED:
        assert reply.points is None and "got hold of the reference's" in refused[0]
    else:
        assert refused == [] and reply.points < 4


def own_name_is_in_use(name: str) -> bool:
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().strip() == name:
                return True
    return False


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("/proc/self/comm", "w").write("{name}")
        time.sleep(500)
    os._exit(0)
while not any(open(f"/proc/{{p}}/comm").read().strip() == "{name}"
              for p in os.listdir("/proc") if p.isdigit()):
    time.sleep(0.01)
"""


@pytest.mark.parametrize("isolate", [True, False])
def test_nothing_is_left_running(isolate: bool) -> None:
    name = f"left-{os.getpid()}-{isolate:d}"
    with Session(isolate=isolate) as sandbox:
        sandbox.run({"kind": "cell", "source": DAEMON.format(name=name)}, 5)
        assert own_name_is_in_use(name)
    assert not own_name_is_in_use(name)


def test_the_end_of_the_grading_process_is_the_end_of_all(tmp_path: Path) -> None:
    name = f"orphan-{os.getpid()}"
    script = (
        "from facegan_ref.grading.sandbox import Session\n"
        "box = Session(isolate=True)\n"
        f"box.run({{'kind': 'cell', 'source': {DAEMON.format(name=name)!r}}}, 5)\n"
        "print('ready', flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    grader = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert grader.stdout.readline() == "ready\n"
    assert own_name_is_in_use(name)
    grader.kill()
    grader.wait()
    for _ in range(200):
        if not own_name_is_in_use(name):
            return
        time.sleep(0.05)
    raise AssertionError("a process of the notebook is still there")


def test_a_lost_warm_process_is_replaced() -> None:
    os.kill(warm_process()._process.pid, signal.SIGKILL)
    warm_process()._process.wait()
    assert said(run("6 * 7")) == "42"


def test_without_isolation_there_are_limits_still() -> None:
    with Session(isolate=False, limits=Limits(memory=256 * MB)) as sandbox:
        folder = said(sandbox.run({"kind": "cell", "source": "import os; os.getcwd()"}, 5))
        assert sandbox.run({"kind": "cell", "source": "while True: pass"}, 0.5).interrupted
        hungry = "x = []\nwhile True: x.append(bytearray(10**8))"
        assert "memory" in sandbox.run({"kind": "cell", "source": hungry}, 5).stopped
    assert not os.path.exists(folder.strip("'"))


AS_USER = """
import sys
sys.path[:0] = {path!r}
from facegan_ref.grading.sandbox import Session
with Session(isolate=True) as box:
    print(box.run({{"kind": "cell", "source": "import os; os.listdir('/')"}}, 5).outputs)
"""


def test_a_user_without_privileges_can_isolate_too() -> None:
    """With root's own Python out of reach of other users, the system's is taken if it fits."""
    if os.geteuid() != 0:
        pytest.skip("this test's own user has no privileges: all tests here say so")
    python = Path("/usr/bin") / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not python.exists() or not shutil.which("setpriv"):
        pytest.skip(f"needs setpriv and {python}")
    script = AS_USER.format(path=[str(REPOSITORY), *filter(None, sys.path)])
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    done = subprocess.run(
        [*nobody, python, "-B", "-c", script],
        capture_output=True,
        text=True,
        env={"HOME": "/nonexistent", "OMP_NUM_THREADS": "1", "MPLCONFIGDIR": "/tmp"},
        cwd="/",
    )
    if "Permission denied" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("the packages are out of reach of other users")
    assert "'submission'" in done.stdout, done.stderr


def test_where_it_is_not_allowed_it_says_so() -> None:
    """User 0 without privileges may not map itself: a system that refuses isolation."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    script = "from facegan_ref.grading.sandbox import isolation_problem; print(isolation_problem())"
    done = subprocess.run(
        ["setpriv", "--inh-caps=-all", "--bounding-set=-all", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=True,
    )
    assert "cannot be isolated here" in done.stdout and "--no-sandbox" in done.stdout


def test_other_systems_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.sys, "platform", "darwin")
    with pytest.raises(IsolationUnavailable, match="this is darwin, not Linux"):
        Session(isolate=True)
