"""Making the array file: what is written, and the same bytes however it was interrupted."""

import hashlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from celeba_like import NAMES, REAL, encode, needs_real, write_folder, write_zip
from click.testing import CliRunner
from PIL import Image

from data_prep import journal, pixels
from data_prep import workers as engine
from data_prep.__main__ import main, run
from data_prep.journal import Journal
from data_prep.prepare import prepare
from facegan_ref.data.faces import FaceArray

ROOT = Path(__file__).resolve().parents[2]


# ---- what is written ------------------------------------------------------------------------


def test_the_manifest_tells_all(tmp_path, source):
    out = tmp_path / "new" / "a.npy"
    manifest = prepare(source, out, "centre-108", 16)
    encoded = [hashlib.sha256(data).hexdigest() for data in read_all(source)]
    sample = hashlib.sha256(np.load(out).tobytes()).hexdigest()
    assert manifest == {
        "format": "facegan-faces-2",
        "kind": "celeba",
        "crop": "centre-108",
        "size": 16,
        "resize": "bilinear, antialiased",
        "decoder": pixels.decoder_name(),
        "source": "img_align_celeba.zip",
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "pictures_sha256": hashlib.sha256("".join(encoded).encode()).hexdigest(),
        "shape": [6, 16, 16, 3],
        "array_sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "sample_sha256": sample,
        "terms": "CelebA: non-commercial research only, no redistribution; "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        "rejected": {},
        "other_files": {"count": 0, "first": []},
        "annotations_from": [],
        "attributes": None,
        "identities": None,
        "split_names": ["train", "valid", "test"],
        "split": None,
        "names": NAMES,
    }
    assert json.loads(out.with_suffix(".json").read_text()) == manifest
    faces = FaceArray.open(out)
    assert faces.manifest == manifest
    assert faces.fingerprint == manifest["array_sha256"][:16] == FaceArray(faces.images).fingerprint
    assert sorted(p.name for p in out.parent.iterdir()) == ["a.json", "a.npy"]


def read_all(path):
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in sorted(archive.namelist()) if name.endswith("jpg")]


def test_an_array_that_was_there_is_replaced_only_by_a_complete_one(tmp_path, source):
    out = tmp_path / "a.npy"
    prepare(source, out, "squeeze")
    before = out.read_bytes()
    (tmp_path / "bad.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"bad\.zip"):
        prepare(tmp_path / "bad.zip", out)
    assert out.read_bytes() == before and FaceArray.open(out).manifest["crop"] == "squeeze"
    prepare(source, out)
    assert FaceArray.open(out).manifest["crop"] == "centre-178"
    assert sorted(p.name for p in tmp_path.glob("a.*")) == ["a.json", "a.npy"]


def test_wrong_arguments_are_refused(tmp_path, source):
    with pytest.raises(ValueError, match="no crop 'top'; there are: centre-178"):
        prepare(source, tmp_path / "a.npy", "top")
    with pytest.raises(ValueError, match="no crop 'centre-178'; there are: centre-square, squeeze"):
        prepare(source, tmp_path / "a.npy", "centre-178", kind="faces")
    with pytest.raises(ValueError, match=r"a\.npz: the array file's name must end in \.npy"):
        prepare(source, tmp_path / "a.npz")


def test_both_decoders_make_the_same_array(tmp_path, source, monkeypatch):
    pytest.importorskip("simplejpeg")
    fast = prepare(source, tmp_path / "a.npy")
    monkeypatch.setattr(pixels, "simplejpeg", None)
    slow = prepare(source, tmp_path / "b.npy")
    assert (fast["decoder"], slow["decoder"]) == ("simplejpeg", "Pillow")
    assert fast["array_sha256"] == slow["array_sha256"]


def test_a_full_disk_is_named_before_the_work_begins(tmp_path, source, monkeypatch):
    if not hasattr(os, "posix_fallocate"):
        pytest.skip("this system can't reserve space for a file")
    shape = (1 << 40, 64, 64, 3)  # no disk has twelve petabytes
    with pytest.raises(OSError, match=r"a\.npy\.partial: no [\d,]+ MB to be had there: ."):
        Journal(tmp_path / "a.npy", {"job": 1}, shape)
    assert not list(tmp_path.glob("*.partial*"))


# ---- many pictures: workers and interruptions ------------------------------------------------


@pytest.fixture(scope="module")
def big(tmp_path_factory, many):
    """A zip of 2,200 pictures, some of them bad, and the array that one process makes of it."""
    folder = tmp_path_factory.mktemp("big")
    contents = dict(many)
    for place in (3, 700, 701, 1999):
        contents[f"{place:06d}.jpg"] = b"no picture"
    source = write_zip(folder / "many.zip", contents)
    manifest = prepare(source, folder / "a.npy", size=32, workers=1)
    assert manifest["shape"][0] == 2196 and len(manifest["rejected"]) == 4
    return source, (folder / "a.npy").read_bytes(), (folder / "a.json").read_bytes()


def result(out):
    return out.read_bytes(), out.with_suffix(".json").read_bytes()


def test_several_workers_make_the_same_bytes(tmp_path, big):
    """Here worker processes are spawned: this one has threads. Below they are forked."""
    prepare(big[0], tmp_path / "a.npy", size=32, workers=2)
    assert result(tmp_path / "a.npy") == big[1:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.npy"]


def in_child(function):
    """Run a function in a forked copy of this process; its process id."""
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        finally:
            os._exit(7)
    return child


def children(pid):
    """Living processes whose parent is `pid`, from /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def chunks_done(out):
    path = out.with_name(out.name + ".journal")
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def slowly(source, out, workers):
    """Prepare so that each chunk is noted at once, and work is there to be hit in the middle."""
    journal.FLUSH_SECONDS = 0
    write = engine.resize
    engine.resize = lambda *args: (time.sleep(0.01), write(*args))[1]
    prepare(source, out, size=32, workers=workers)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_killed_at_several_points_the_same_bytes_come_out(tmp_path, big, workers):
    """SIGKILL at the start, then after one more chunk, then after more; then it may finish."""
    out = tmp_path / "a.npy"
    partial = out.with_name("a.npy.partial")
    seen = []
    for wanted in (0, 1, 4):
        child = in_child(lambda: slowly(big[0], out, workers))
        deadline = time.monotonic() + 60
        while not partial.exists() or chunks_done(out) < wanted:
            assert os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline
            time.sleep(0.002)
        orphans = children(child)
        assert wanted == 0 or len(orphans) == (0 if workers == 1 else workers)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seen.append(chunks_done(out))
        assert not out.exists() and partial.exists()
        deadline = time.monotonic() + 20
        while any(alive(pid) for pid in orphans):  # workers go by themselves
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert 0 < seen[1] < seen[2] < 9
    child = in_child(lambda: prepare(big[0], out, size=32, workers=workers))
    assert os.waitpid(child, 0)[1] == 0
    assert result(out) == big[1:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.npy"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_worker_that_is_killed_is_named_and_the_rest_goes_on(tmp_path, big):
    out = tmp_path / "a.npy"
    notes = tmp_path / "notes.txt"

    def watched():
        try:
            slowly(big[0], out, 2)
        except OSError as error:
            notes.write_text(str(error))

    child = in_child(watched)
    while chunks_done(out) < 2:
        time.sleep(0.002)
    os.kill(children(child)[0], signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == 0
    assert "a worker process was killed" in notes.read_text()
    assert "run the same command again" in notes.read_text()
    prepare(big[0], out, size=32, workers=1)
    assert result(out) == big[1:]


@pytest.fixture(scope="module")
def small(tmp_path_factory, many):
    """A zip of 300 pictures, one of them bad, and the array that is made of it."""
    folder = tmp_path_factory.mktemp("small")
    contents = {**dict(list(many.items())[:300]), "000003.jpg": b"no picture"}
    source = write_zip(folder / "some.zip", contents)
    prepare(source, folder / "a.npy", size=32)
    return source, (folder / "a.npy").read_bytes(), (folder / "a.json").read_bytes()


STEPS = (
    "data_prep.journal.Journal._begin",
    "data_prep.prepare._without",
    "data_prep.prepare.sample_sha256",
    "data_prep.prepare.write_manifest",
    "data_prep.prepare.os.replace",
    "data_prep.journal.Journal.remove",
)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_of_the_end_the_same_bytes_come_out(tmp_path, small, step, when):
    """The process kills itself (SIGKILL) on either side of each step that changes files."""
    if not hasattr(os, "fork"):
        pytest.skip("this system can't fork")
    out = tmp_path / "a.npy"
    prepare(small[0], out, "squeeze", size=16)  # an older file must not survive half
    owner, _, name = step.rpartition(".")
    owner = pkgutil.resolve_name(owner)

    def dying_on_the_way():
        original = getattr(owner, name)

        def dying(*args, **kwargs):
            if when == "after":
                original(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, dying)
        prepare(small[0], out, size=32)

    assert os.WTERMSIG(os.waitpid(in_child(dying_on_the_way), 0)[1]) == signal.SIGKILL
    if out.with_suffix(".json").exists():  # what there is belongs together
        assert FaceArray.open(out).image_size in (16, 32)
    elif out.exists():
        with pytest.raises(FileNotFoundError, match="manifest"):
            FaceArray.open(out)
    prepare(small[0], out, size=32)
    assert result(out) == small[1:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.npy"]


def test_a_journal_whose_last_line_was_cut_short_is_gone_on_with(tmp_path, big, monkeypatch):
    out = tmp_path / "a.npy"
    interrupt(big[0], out, after=3)
    path = out.with_name("a.npy.journal")
    path.write_bytes(path.read_bytes()[:-40])
    assert chunks_done(out) == 2
    interrupt(big[0], out, after=5)
    worked = []
    work = engine.work
    monkeypatch.setattr(engine, "work", lambda *args: (worked.append(args[1]), work(*args))[1])
    prepare(big[0], out, size=32, workers=1)
    assert worked == [5, 6, 7, 8]
    assert result(out) == big[1:]


@pytest.mark.parametrize("damage", [bytes(60), b'{"chunk": 0}', b"[]"], ids=str)
def test_a_damaged_journal_counts_up_to_the_damage(tmp_path, big, damage, monkeypatch):
    out = tmp_path / "a.npy"
    interrupt(big[0], out, after=4)
    path = out.with_name("a.npy.journal")
    lines = path.read_bytes().split(b"\n")
    lines[2] = damage
    path.write_bytes(b"\n".join(lines))
    worked = []
    work = engine.work
    monkeypatch.setattr(engine, "work", lambda *args: (worked.append(args[1]), work(*args))[1])
    prepare(big[0], out, size=32, workers=1)
    assert worked == [1, 2, 3, 4, 5, 6, 7, 8]
    assert result(out) == big[1:]


def interrupt(source, out, after, **options):
    """Stop a preparation by an exception when `after` chunks are done."""
    add = Journal.add

    def counting(self, done):
        add(self, done)
        self.flush()
        if len(self.done) == after:
            raise KeyboardInterrupt

    Journal.add = counting
    try:
        with pytest.raises(KeyboardInterrupt):
            prepare(source, out, **{"size": 32, "workers": 1, **options})
    finally:
        Journal.add = add
    assert chunks_done(out) == after


def test_what_is_done_is_not_done_again(tmp_path, big, monkeypatch):
    out = tmp_path / "a.npy"
    interrupt(big[0], out, after=6)
    worked = []
    work = engine.work
    monkeypatch.setattr(engine, "work", lambda *args: (worked.append(args[1]), work(*args))[1])
    prepare(big[0], out, size=32, workers=1)
    assert worked == [6, 7, 8]
    assert result(out) == big[1:]


@pytest.mark.parametrize("change", ["crop", "size", "source", "decoder"])
def test_an_interrupted_job_is_not_mixed_with_another(tmp_path, big, change, monkeypatch, many):
    out = tmp_path / "a.npy"
    source = write_zip(tmp_path / "some.zip", dict(list(many.items())[:600]))
    interrupt(source, out, after=2)
    options = {"size": 32}
    if change == "crop":
        options["crop"] = "centre-108"
    elif change == "size":
        options["size"] = 24
    elif change == "source":
        contents = dict(list(many.items())[:600])
        contents["000001.jpg"] = contents["000002.jpg"]
        write_zip(source, contents)
    else:
        monkeypatch.setattr(pixels, "simplejpeg", None)
    worked = []
    work = engine.work
    monkeypatch.setattr(engine, "work", lambda *args: (worked.append(args[1]), work(*args))[1])
    prepare(source, out, **options)
    assert worked == [0, 1, 2]  # from the beginning
    prepare(source, tmp_path / "fresh.npy", **options)
    assert result(out) == result(tmp_path / "fresh.npy")


def test_two_at_once_are_told_apart(tmp_path, source):
    if journal.fcntl is None:
        pytest.skip("this system has no file locks")
    out = tmp_path / "a.npy"
    hold = (
        "import sys, time; from pathlib import Path; from data_prep.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), {}, (1, 8, 8, 3)); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(out)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OSError, match=r"a\.npy: another process is making this file"):
            prepare(source, out)
        other.stdin.close()
    prepare(source, out)


# ---- the command ----------------------------------------------------------------------------


def test_the_command_reports_what_it_did(tmp_path, half):
    contents = {"000001.jpg": half[0], "000002.jpg": b""}
    path = write_zip(tmp_path / "a.zip", contents)
    out = tmp_path / "a.npy"
    result = CliRunner().invoke(main, ["celeba", str(path), "--out", str(out), "--size", "32"])
    assert result.exit_code == 0
    assert f"{out}: 1 images of 32×32, crop centre-178" in result.output
    assert "known of each image: nothing but its name" in result.output
    assert "left out 000002.jpg: the file is empty" in result.output
    assert FaceArray.open(out).image_size == 32


def test_any_pictures_are_a_command(tmp_path):
    picture = encode(Image.effect_noise((50, 40), 90).convert("RGB"))
    folder = write_folder(tmp_path / "album", {"b/me.jpg": picture, "a/me.jpg": picture})
    out = tmp_path / "a.npy"
    result = CliRunner().invoke(main, ["faces", str(folder), "--out", str(out)])
    assert result.exit_code == 0 and "2 images of 64×64, crop centre-square" in result.output
    manifest = FaceArray.open(out).manifest
    assert manifest["names"] == ["a/me.jpg", "b/me.jpg"] and manifest["kind"] == "faces"


def test_mistakes_end_without_traceback(tmp_path, source, monkeypatch, capsys):
    (tmp_path / "page.zip").write_text("<html></html>")
    (tmp_path / "file").write_text("")
    for arguments, phrase in (
        ([tmp_path / "page.zip", "--out", tmp_path / "a.npy"], "data_prep: "),
        ([source, "--out", tmp_path / "a.npz"], "must end in .npy"),
        ([source, "--out", tmp_path / "file" / "a.npy"], "file"),
        ([source, "--out", tmp_path / "a.npy", "--size", "7"], "--size"),
        ([source, "--out", tmp_path / "a.npy", "--crop", "top"], "--crop"),
        ([source, "--out", tmp_path / "a.npy", "--mirror", "http://x"], "--mirror goes with"),
    ):
        monkeypatch.setattr(sys, "argv", ["data_prep", "celeba", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            run()
        said = capsys.readouterr()
        assert left.value.code == 2 and phrase in said.err and not said.out


def test_a_stopped_command_says_that_it_can_go_on(tmp_path, source, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "work", stop)
    monkeypatch.setattr(
        sys, "argv", ["data_prep", "celeba", str(source), "--out", str(tmp_path / "a.npy")]
    )
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 130 and "the same command goes on" in capsys.readouterr().err


def test_a_missing_source_ends_in_one_line(tmp_path):
    arguments = [sys.executable, "-m", "data_prep", "celeba", "none.zip", "--out", "a.npy"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "data_prep: none.zip: no such file or folder"


# ---- real pictures --------------------------------------------------------------------------


@needs_real
def test_the_development_set_goes_through(tmp_path):
    source = REAL / "img_align_celeba.zip"
    with zipfile.ZipFile(source) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:300]
        contents = {name: archive.read(name) for name in names}
    few = write_zip(tmp_path / "few.zip", contents)
    for name in ("list_attr_celeba.txt", "identity_CelebA.txt"):
        (tmp_path / name).write_bytes((REAL / name).read_bytes())
    manifest = prepare(few, tmp_path / "few.npy")
    assert manifest["shape"] == [300, 64, 64, 3] and not manifest["rejected"]
    faces = FaceArray.open(tmp_path / "few.npy")
    assert len(faces.attributes.names) == 40 and faces.identities[0] == 2880
    assert faces.split is None
    first = dict(zip(faces.attributes.names, faces.attributes.values[0].tolist(), strict=True))
    assert first["Smiling"] and first["Young"] and not first["Male"] and not first["Bald"]
    batch = faces.batch(torch.arange(300))
    # Skin in the middle is redder than blue; faces differ from each other.
    middle = batch[:, :, 24:40, 24:40].mean(dim=(2, 3))
    assert (middle[:, 0] > middle[:, 2]).float().mean() > 0.9
    assert batch.std(dim=0).mean() > 0.2
