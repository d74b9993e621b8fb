"""Checkpoints: whole or not there, and no code in them is ever run."""

import io
import pickle
import random
import zipfile

import pytest
import torch

from facegan_ref import checkpoint, run_folder
from facegan_ref.checkpoint import (
    FORMAT,
    CheckpointError,
    keep_also_as,
    read_checkpoint,
    write_checkpoint,
)
from facegan_ref.run_folder import RunFolder


@pytest.fixture
def state():
    return {
        "step": 7,
        "name": "tiny",
        "weights": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)},
        "list": [1, 2.5, None, "x"],
        "rng": torch.Generator().manual_seed(1).get_state(),
    }


@pytest.fixture
def path(tmp_path, state):
    write_checkpoint(tmp_path / "last.pt", state)
    return tmp_path / "last.pt"


def test_what_was_saved_comes_back(path, state):
    loaded = read_checkpoint(path)
    assert loaded.pop("format") == FORMAT
    for key in ("step", "name", "list"):
        assert loaded[key] == state[key]
    assert torch.equal(loaded["weights"]["a"], state["weights"]["a"])
    assert torch.equal(loaded["rng"], state["rng"]) and loaded["rng"].dtype == torch.uint8


def test_folders_are_made_and_nothing_else_is_left(tmp_path, state):
    write_checkpoint(tmp_path / "a" / "b" / "last.pt", state)
    write_checkpoint(tmp_path / "a" / "b" / "last.pt", {**state, "step": 8})
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["last.pt"]
    assert read_checkpoint(tmp_path / "a" / "b" / "last.pt")["step"] == 8


@pytest.mark.parametrize("stage", ["half written", "written, not flushed", "not yet in its place"])
def test_a_crash_while_saving_leaves_the_old_checkpoint_whole(path, monkeypatch, stage):
    def crash(*_):
        raise KeyboardInterrupt

    def half_written(_, file):
        file.write(b"PK\x03\x04 and then the power went")
        crash()

    if stage == "half written":
        monkeypatch.setattr(checkpoint.torch, "save", half_written)
    elif stage == "written, not flushed":
        monkeypatch.setattr(checkpoint.os, "fsync", crash)
    else:
        monkeypatch.setattr(checkpoint.os, "replace", crash)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(path, {"step": 8})
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert read_checkpoint(path)["step"] == 7
    write_checkpoint(path, {"step": 8})  # what the crash left lying about does no harm
    assert read_checkpoint(path)["step"] == 8


def test_the_bytes_are_on_disk_before_the_name_is(path, monkeypatch):
    done = []
    real_replace = checkpoint.os.replace
    monkeypatch.setattr(checkpoint.os, "fsync", lambda _: done.append("fsync"))
    monkeypatch.setattr(
        checkpoint.os, "replace", lambda a, b: (done.append("replace"), real_replace(a, b))
    )
    write_checkpoint(path, {"step": 8})
    assert done == ["fsync", "replace"]


def test_a_run_is_told_that_the_disk_is_full_and_its_new_name_is_flushed(tmp_path, monkeypatch):
    files, flushed = RunFolder(tmp_path), []
    monkeypatch.setattr(run_folder, "flush_folder", flushed.append)
    files.save({"step": 1, "best": None})
    assert flushed == [tmp_path]

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match=r"the checkpoint before it is whole.*last\.pt"):
        files.save({"step": 2, "best": None})
    assert read_checkpoint(files.last)["step"] == 1
    assert not list(tmp_path.rglob("*.partial"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pt: no such checkpoint"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        read_checkpoint(tmp_path)  # a folder


def assert_refused(path, *phrases):
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for phrase in phrases:
        assert phrase in message


@pytest.mark.parametrize("kept", [0, 1, 3, 50, 500, -100, -1])
def test_a_truncated_file_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    assert_refused(path, "may be truncated", "an earlier checkpoint")


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 1000,
        b"<!DOCTYPE html><html>quota exceeded</html>",
        b'{"format": "facegan-checkpoint-1"}',
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
        b"\x80\x02.",  # pickle that takes from an empty stack
        b"\x80\x02h\x00.",  # pickle that asks for a memory it never put down
    ],
    ids=["zeros", "web page", "json", "png", "empty stack", "no memory"],
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    assert_refused(path, "not a readable checkpoint")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    with open(path, "wb") as file:
        file.truncate(9 << 30)  # a hole: takes no room on the disk
    assert_refused(path, "9.0 GiB, expected at most 8 GiB")
    monkeypatch.setattr(checkpoint, "MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(3 << 20))
    assert path.stat().st_size < 10_000
    assert_refused(path, "expected at most")


def test_a_second_name_replaces_the_file_that_had_it(path, monkeypatch):
    other = path.parent / "kept" / "best.pt"
    keep_also_as(path, other)
    write_checkpoint(path, {"step": 8})
    assert read_checkpoint(other)["step"] == 7 and read_checkpoint(path)["step"] == 8

    def no_links(*_):
        raise OSError("not supported here, as on a mounted drive")

    monkeypatch.setattr(checkpoint.os, "link", no_links)
    keep_also_as(path, other)
    assert read_checkpoint(other)["step"] == 8
    assert sorted(p.name for p in other.parent.iterdir()) == ["best.pt"]


def test_any_damage_ends_in_one_kind_of_error(path):
    """Random damage drives torch's unpickler into errors of many kinds."""
    old = io.BytesIO()
    torch.save({"x": torch.zeros(5)}, old, _use_new_zipfile_serialization=False)
    draw = random.Random(0)
    refused = 0
    for source in (path.read_bytes(), old.getvalue(), pickle.dumps({"a": [1, {"b": 2.0}]})):
        for _ in range(80):
            damaged = bytearray(source)
            for _ in range(4):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            path.write_bytes(damaged)
            try:
                read_checkpoint(path)
            except CheckpointError as error:
                refused += str(error).startswith(str(path))
    assert refused > 200


def test_other_formats_are_refused_with_theirs(tmp_path):
    path = tmp_path / "last.pt"
    torch.save({"format": "facegan-checkpoint-0", "step": 3}, path)
    assert_refused(path, '"facegan-checkpoint-0"', f'expected "{FORMAT}"', "another version")
    torch.save({"weight": torch.zeros(2)}, path)
    assert_refused(path, "format is None")
    torch.save([1, 2], path)
    assert_refused(path, "format is None")
    torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    assert_refused(path, "format is None")


class Malicious:
    """When unpickled in good faith, it makes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (exec, (f"open({str(self.target)!r}, 'w').close()",))


@pytest.mark.parametrize("container", ["zip", "legacy", "bare pickle"])
def test_code_in_a_checkpoint_is_not_run(tmp_path, container):
    path, target = tmp_path / "last.pt", tmp_path / "was_run"
    state = {"format": FORMAT, "step": 1, "generator": Malicious(target)}
    if container == "bare pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=container == "zip")
    assert_refused(path)
    assert not target.exists()

    # The trap is live: who loads it in good faith springs it.
    if container == "bare pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert target.exists()


def test_a_file_that_may_not_be_opened_is_no_damaged_file(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(checkpoint, "open", refuse, raising=False)
    with pytest.raises(PermissionError):
        read_checkpoint(path)
