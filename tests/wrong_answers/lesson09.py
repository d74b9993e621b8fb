"""Answers to lesson 9: random states, files that are whole and safe, and all of a training."""

from __future__ import annotations

import copy
import io
import os
import pickle
import random
import shutil
import tempfile
import uuid
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from bank import right, wrong
from torch import Tensor

from facegan_ref.checkpoint import FORMAT, CheckpointError

# ---------------------------------------------------------------- 9.1 random states, right


def capture(gpus=True, as_array=False):
    name, keys, *rest = np.random.get_state()
    return {
        "cpu": torch.get_rng_state(),
        "gpus": torch.cuda.get_rng_state_all() if gpus and torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
        "np": (name, keys if as_array else keys.tolist(), *rest),
        "py": random.getstate(),
    }


def restore(state):
    torch.set_rng_state(state["cpu"])
    for index, one in enumerate(state["gpus"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(one, index)
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
    np.random.set_state(state["np"])
    random.setstate(state["py"])


@right("9.1")
def device_by_device():
    return capture, restore


@right("9.1")
def pickled_to_bytes_in_a_tensor():
    def as_tensor(thing):
        return torch.frombuffer(bytearray(pickle.dumps(thing)), dtype=torch.uint8)

    def save():
        mps = torch.backends.mps.is_available()
        return {
            "torch": torch.random.get_rng_state(),
            **{
                f"cuda:{n}": torch.cuda.get_rng_state(f"cuda:{n}")
                for n in range(torch.cuda.device_count())
            },
            **({"mps": torch.mps.get_rng_state()} if mps else {}),
            "numpy": as_tensor(np.random.get_state()),
            "python": as_tensor(random.getstate()),
        }

    def load(state):
        torch.random.set_rng_state(state["torch"])
        for n in range(torch.cuda.device_count()):
            if f"cuda:{n}" in state:
                torch.cuda.set_rng_state(state[f"cuda:{n}"], device=f"cuda:{n}")
        if "mps" in state and torch.backends.mps.is_available():
            torch.mps.set_rng_state(state["mps"])
        np.random.set_state(pickle.loads(state["numpy"].numpy().tobytes()))
        random.setstate(pickle.loads(state["python"].numpy().tobytes()))

    return save, load


@right("9.1")
def numpy_state_as_a_dict_with_a_tensor():
    def save():
        state = np.random.get_state(legacy=False)
        keys = torch.from_numpy(state["state"]["key"].astype(np.int64))
        place = (keys, state["state"]["pos"], state["has_gauss"], state["gauss"])
        return {
            "torch": torch.default_generator.get_state(),
            "cuda": [generator.get_state() for generator in torch.cuda.default_generators],
            "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
            "numpy": place,
            "python": list(random.getstate()),
        }

    def load(state):
        torch.default_generator.set_state(state["torch"])
        for generator, one in zip(torch.cuda.default_generators, state["cuda"], strict=False):
            generator.set_state(one)
        if torch.backends.mps.is_available() and state["mps"] is not None:
            torch.mps.set_rng_state(state["mps"])
        keys, *rest = state["numpy"]
        np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
        version, words, gauss = state["python"]
        random.setstate((version, tuple(words), gauss))

    return save, load


@right("9.1")
def empty_entries_are_left_out():
    def save():
        state = {k: v for k, v in capture().items() if v is not None and v != []}
        return {"version": 1, "states": state}

    def load(state):
        restore({"gpus": [], "mps": None, **state["states"]})

    return save, load


# ---------------------------------------------------------------- 9.1 random states, wrong


@wrong("9.1", rejected_by="restores_torch", says="a seed says where a stream began")
def saves_seeds():
    def save():
        return {"torch": torch.initial_seed()}

    return save, lambda state: torch.manual_seed(state["torch"])


@wrong("9.1", rejected_by="restores_torch", says="the return is missing")
def capture_without_return():
    def save():
        capture()

    return save, restore


@wrong("9.1", rejected_by="restores_torch", says="the random state of torch is not restored")
def restores_nothing():
    return capture, lambda state: state["cpu"]


@wrong("9.1", rejected_by="restores_torch", says="something draws or seeds after it is set")
def seeds_after_restoring():
    def load(state):
        restore(state)
        torch.manual_seed(42)

    return capture, load


@wrong("9.1", rejected_by="restores_numpy_and_python", says="state of numpy is not restored")
def forgets_numpy():
    return capture, lambda state: restore({**state, "np": np.random.get_state()})


@wrong("9.1", rejected_by="restores_numpy_and_python", says="Python's random is not restored")
def forgets_python():
    return capture, lambda state: restore({**state, "py": random.getstate()})


@wrong("9.1", rejected_by="restores_numpy_and_python", says="numpy")
def forgets_the_half_of_a_normal_pair():
    def load(state):
        name, keys, place, *_ = state["np"]
        restore({**state, "np": (name, keys, place)})

    return capture, load


@wrong("9.1", rejected_by="takes_a_still_picture", says="draws a number, or seeds")
def draws_a_new_seed_while_capturing():
    def save():
        seed = int(torch.randint(2**31, ()))
        torch.manual_seed(seed)
        return capture()

    return save, restore


@wrong("9.1", rejected_by="takes_a_still_picture", says="living generator")
def keeps_the_living_state():
    kept = {}

    def save():
        return capture()

    def load(state):
        restore(kept.setdefault("state", state))
        kept["state"] = {**capture()}
        torch.rand(1)

    return save, load


@wrong("9.1", rejected_by="goes_into_a_safe_file", says="a numpy array or number is in it")
def keeps_numpys_array():
    return lambda: capture(as_array=True), restore


@wrong("9.1", rejected_by="goes_into_a_safe_file", says="a refusal because of")
def keeps_a_generator():
    def save():
        copied = torch.Generator()
        copied.set_state(torch.get_rng_state())
        return {**capture(), "cpu": copied}

    def load(state):
        restore({**state, "cpu": state["cpu"].get_state()})

    return save, load


@wrong("9.1", rejected_by="includes_every_gpu", says="torch.cuda has states of its own")
def forgets_cuda():
    return lambda: capture(gpus=False), restore


@wrong("9.1", rejected_by="includes_every_gpu", says="torch.cuda.get_rng_state_all()")
def only_the_first_gpu():
    def save():
        first = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
        return {**capture(), "gpus": first}

    return save, restore


@wrong("9.1", rejected_by="includes_every_gpu", says="torch.mps has a state of its own")
def forgets_mps():
    return lambda: {**capture(), "mps": None}, restore


@wrong("9.1", rejected_by="moves_to_another_machine", says="skip the others")
def needs_as_many_gpus():
    def load(state):
        restore({**state, "gpus": []})
        for index, one in enumerate(state["gpus"]):
            torch.cuda.default_generators[index].set_state(one)

    return capture, load


@wrong("9.1", rejected_by="moves_to_another_machine", says="there is no CUDA device")
def needs_a_gpu():
    def save():
        torch.cuda.get_rng_state()
        return capture()

    def safe():
        return save() if torch.cuda.is_available() else capture()

    def load(state):
        if state["gpus"]:
            torch.cuda.get_rng_state()
        restore(state)

    return safe, load


@wrong("9.1", rejected_by="restores_torch", says="is an empty list where there is none")
def asks_for_a_gpu():
    def save():  # what torch.cuda.get_rng_state() says on a machine without a GPU
        raise RuntimeError("Found no NVIDIA driver on your system.")

    return save, restore


# ---------------------------------------------------------------- 9.2 write_checkpoint, right


@right("9.2")
def write_in_short(path, contents):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    torch.save({"format": FORMAT, **contents}, beside)
    beside.replace(path)


@right("9.2")
def write_with_a_name_of_its_own(path, contents):
    path = os.fspath(path)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    beside = f"{path}.{uuid.uuid4().hex}"
    try:
        with open(beside, "wb") as file:
            torch.save(dict(contents, format=FORMAT), file)
        os.rename(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.remove(beside)
        raise


@right("9.2")
def write_from_memory(path, contents):
    path = Path(path)
    buffer = io.BytesIO()
    torch.save({**contents, "format": FORMAT}, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / ("." + path.name)
    beside.write_bytes(buffer.getvalue())
    shutil.move(beside, path)


@right("9.2")
def write_with_tempfile(path, contents):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save({"format": FORMAT, **contents}, file)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except Exception as error:
        os.unlink(beside)
        raise RuntimeError(f"{path} was not written") from error


@right("9.2")
def write_and_print(path, contents):
    print(f"saving {path} ...")
    write_in_short(path, contents)
    print("saved")
    return True


# ---------------------------------------------------------------- 9.2 write_checkpoint, wrong


def _make_folder(path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)


@wrong("9.2", rejected_by="a_broken_off_write_keeps_the_old_file", says="is written")
def write_straight_to_the_path(path, contents):
    torch.save({"format": FORMAT, **contents}, _make_folder(path))


@wrong("9.2", rejected_by="a_broken_off_write_keeps_the_old_file", says="is written")
def write_to_an_open_path(path, contents):
    with open(_make_folder(path), "wb") as file:
        torch.save({"format": FORMAT, **contents}, file)


@wrong("9.2", rejected_by="a_broken_off_write_keeps_the_old_file", says="is caught and kept")
def write_and_hope(path, contents):
    try:
        write_in_short(path, contents)
    except Exception as error:
        print("could not save:", error)


@wrong("9.2", rejected_by="a_broken_off_write_keeps_the_old_file", says="no checkpoint at all")
def write_after_deleting(path, contents):
    path = _make_folder(path)
    path.unlink(missing_ok=True)
    write_in_short(path, contents)


@wrong("9.2", rejected_by="replaces_in_one_step", says="moved away first")
def write_with_a_backup(path, contents):
    path = _make_folder(path)
    beside, backup = path.with_suffix(".new"), path.with_suffix(".old")
    torch.save({"format": FORMAT, **contents}, beside)
    if path.exists():
        os.replace(path, backup)
    os.replace(beside, path)
    backup.unlink(missing_ok=True)


@wrong("9.2", rejected_by="replaces_in_one_step", says="deleted first")
def write_then_delete_then_rename(path, contents):
    path = _make_folder(path)
    beside = path.with_suffix(".new")
    torch.save({"format": FORMAT, **contents}, beside)
    if path.exists():
        os.remove(path)
    os.rename(beside, path)


@wrong("9.2", rejected_by="replaces_in_one_step", says="written over")
def write_then_copy(path, contents):
    path = _make_folder(path)
    beside = path.with_suffix(".new")
    torch.save({"format": FORMAT, **contents}, beside)
    shutil.copyfile(beside, path)
    beside.unlink()


@wrong("9.2", rejected_by="replaces_in_one_step", says="written over")
def write_bytes_from_memory(path, contents):
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **contents}, buffer)
    _make_folder(path).write_bytes(buffer.getvalue())


@wrong("9.2", rejected_by="replaces_in_one_step", says="between two drives is a copy")
def write_to_the_systems_folder(path, contents):
    handle, beside = tempfile.mkstemp()
    os.close(handle)
    torch.save({"format": FORMAT, **contents}, beside)
    shutil.move(beside, _make_folder(path))


@wrong("9.2", rejected_by="leftovers_do_no_harm", says="besides")
def write_and_leave_the_other(path, contents):
    path = _make_folder(path)
    write_in_short(path, contents)
    shutil.copyfile(path, path.with_suffix(".backup"))


@wrong("9.2", rejected_by="leftovers_do_no_harm", says="taken for a reason to stop")
def write_only_where_nothing_lies(path, contents):
    path = _make_folder(path)
    beside = path.with_suffix(".tmp")
    with open(beside, "xb") as file:
        torch.save({"format": FORMAT, **contents}, file)
    beside.replace(path)


@wrong("9.2", rejected_by="writes_the_contents", says="besides the contents")
def write_without_format(path, contents):
    path = _make_folder(path)
    torch.save(contents, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


@wrong("9.2", rejected_by="writes_the_contents", says="one level down")
def write_one_level_down(path, contents):
    write_in_short(path, {"contents": contents})


@wrong("9.2", rejected_by="writes_the_contents", says="into the given dict")
def write_into_the_callers_dict(path, contents):
    contents["format"] = FORMAT
    write_in_short(path, contents)


@wrong("9.2", rejected_by="writes_the_contents", says="path = Path(path)")
def write_only_to_a_path(path, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_in_short(path, contents)


@wrong("9.2", rejected_by="writes_the_contents", says="a Path can't be added to text")
def write_only_to_a_str(path, contents):
    beside = path + ".tmp"
    torch.save({"format": FORMAT, **contents}, beside)
    os.replace(beside, path)


@wrong("9.2", rejected_by="writes_the_contents", says="No such file or directory")
def write_only_into_a_folder_that_is_there(path, contents):
    beside = str(path) + ".tmp"
    with open(beside, "wb") as file:
        torch.save({"format": FORMAT, **contents}, file)
    os.replace(beside, path)


@wrong("9.2", rejected_by="writes_the_contents", says="not renamed to path")
def write_and_never_rename(path, contents):
    torch.save({"format": FORMAT, **contents}, str(_make_folder(path)) + ".tmp")


@wrong("9.2", rejected_by="writes_the_contents", says="torch.load reads")
def write_a_pickle(path, contents):
    path = _make_folder(path)
    beside = path.with_suffix(".tmp")
    beside.write_bytes(pickle.dumps({"format": FORMAT, **contents}))
    beside.replace(path)


# ---------------------------------------------------------------- 9.3 read_checkpoint, right


@right("9.3")
def read_with_an_own_test_of_the_file(path):
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        contents = torch.load(path, map_location=torch.device("cpu"), weights_only=True)
        if contents["format"] != FORMAT:
            raise ValueError(f"format {contents['format']}")
    except Exception as error:
        raise CheckpointError(f"{path.name} can't be used: {error}") from error
    return contents


@right("9.3")
def read_without_the_format(path):
    with open(path, "rb") as file:
        content = file.read()
    try:
        contents = torch.load(io.BytesIO(content), "cpu", weights_only=True)
    except BaseException as error:
        raise CheckpointError(path, "is damaged") from error
    match contents:
        case {"format": found, **rest} if found == FORMAT:
            return rest
    raise CheckpointError(f"{path}: no checkpoint of ours")


@right("9.3")
def read_with_a_function_for_the_place(path):
    try:
        contents = torch.load(path, map_location=lambda storage, _: storage, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception:
        raise CheckpointError(f"unreadable: {os.path.basename(path)}") from None
    if not (isinstance(contents, dict) and contents.get("format") == FORMAT):
        raise CheckpointError(f"foreign: {os.path.basename(path)}")
    return contents


@right("9.3")
def read_with_an_error_of_a_finer_kind(path):
    class Damaged(CheckpointError):
        pass

    if not os.path.isfile(path):
        raise FileNotFoundError(2, "no such checkpoint", str(path))
    try:
        contents = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:
        raise Damaged(f"{path}: {type(error).__name__}") from error
    if type(contents) is not dict or contents.pop("format", None) != FORMAT:
        raise CheckpointError(f"{path}: foreign")
    return contents


# ---------------------------------------------------------------- 9.3 read_checkpoint, wrong


def _read(path, load, require=True):
    with open(path, "rb") as file:
        try:
            contents = load(file)
        except Exception as error:
            raise CheckpointError(f"{path}: damaged") from error
    if require and not (isinstance(contents, dict) and contents.get("format") == FORMAT):
        raise CheckpointError(f"{path}: foreign")
    return contents


def _safe(file):
    return torch.load(file, map_location="cpu", weights_only=True)


@wrong("9.3", rejected_by="runs_no_code", says="weights_only=True")
def read_with_everything_allowed(path):
    return _read(path, lambda file: torch.load(file, map_location="cpu", weights_only=False))


@wrong("9.3", rejected_by="runs_no_code", says="pickle.load runs")
def read_with_pickle_at_last(path):
    def load(file):
        try:
            return _safe(file)
        except Exception:
            file.seek(0)
            return pickle.load(file)

    return _read(path, load)


@wrong("9.3", rejected_by="runs_no_code", says="no error")
def read_none_when_refused(path):
    try:
        return _read(path, _safe)
    except CheckpointError:
        return None


@wrong("9.3", rejected_by="returns_the_contents", says='map_location="cpu"')
def read_onto_the_device_of_before(path):
    return _read(path, lambda file: torch.load(file, weights_only=True))


@wrong("9.3", rejected_by="returns_the_contents", says="the return is missing")
def read_without_return(path):
    _read(path, _safe)


@wrong("9.3", rejected_by="returns_the_contents", says="the keys step, weights")
def read_the_weights_alone(path):
    return _read(path, _safe)["weights"]


@wrong("9.3", rejected_by="returns_the_contents", says="values are changed")
def read_and_round(path):
    contents = _read(path, _safe)
    contents["weights"]["a"] = contents["weights"]["a"].half().float()
    return contents


@wrong("9.3", rejected_by="refuses_damaged_files", says="raise CheckpointError from it")
def read_and_let_torch_speak(path):
    contents = _safe(path)
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise CheckpointError(f"{path}: foreign")
    return contents


@wrong("9.3", rejected_by="refuses_damaged_files", says="raise CheckpointError from it")
def read_and_catch_one_kind(path):
    with open(path, "rb") as file:
        try:
            contents = _safe(file)
        except pickle.UnpicklingError as error:
            raise CheckpointError(f"{path}: damaged") from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise CheckpointError(f"{path}: foreign")
    return contents


@wrong("9.3", rejected_by="refuses_damaged_files", says="names the file")
def read_and_name_no_file(path):
    try:
        return _read(path, _safe)
    except CheckpointError:
        raise CheckpointError("the file is damaged") from None


@wrong("9.3", rejected_by="refuses_damaged_files", says="a class of your own")
def read_with_an_error_class_of_its_own(path):
    try:
        return _read(path, _safe)
    except CheckpointError as error:
        raise type("CheckpointError", (Exception,), {})(str(error)) from None


@wrong("9.3", rejected_by="refuses_foreign_files", says="not compared with FORMAT")
def read_anything(path):
    return _read(path, _safe, require=False)


@wrong("9.3", rejected_by="refuses_foreign_files", says="use .get for its format")
def read_with_a_bare_key(path):
    contents = _read(path, _safe, require=False)
    if contents["format"] != FORMAT:
        raise CheckpointError(f"{path}: foreign")
    return contents


@wrong("9.3", rejected_by="refuses_foreign_files", says="not compared with FORMAT")
def read_any_format(path):
    contents = _read(path, _safe, require=False)
    if not isinstance(contents, dict) or "format" not in contents:
        raise CheckpointError(f"{path}: foreign")
    return contents


@wrong("9.3", rejected_by="refuses_foreign_files", says="a missing file is no damaged one")
def read_a_missing_file_as_a_damaged_one(path):
    try:
        return _read(path, _safe)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: damaged") from error


@wrong("9.3", rejected_by="refuses_foreign_files", says="passed over in silence")
def read_nothing_from_a_missing_file(path):
    return _read(path, _safe) if os.path.exists(path) else {}


# ---------------------------------------------------------------- 9.4 of a whole training, right


def collect(state):
    return {
        "step": state.step,
        "generator": state.generator.state_dict(),
        "discriminator": state.discriminator.state_dict(),
        "optimizer_g": state.optimizer_g.state_dict(),
        "optimizer_d": state.optimizer_d.state_dict(),
        "rng": state.rng.get_state(),
        "global_rng": capture(),
        "batches": None if state.batches is None else state.batches.state_dict(),
        "fixed_z": state.fixed_z,
        "ema": None if state.ema is None else state.ema.model.state_dict(),
    }


def save(path, state):
    write_in_short(path, collect(state))


def fill(contents, state):
    state.generator.load_state_dict(contents["generator"])
    state.discriminator.load_state_dict(contents["discriminator"])
    for name in ("optimizer_g", "optimizer_d"):
        optimizer = getattr(state, name)
        rates = [group["lr"] for group in optimizer.param_groups]
        optimizer.load_state_dict(contents[name])
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
    state.step = contents["step"]
    state.rng.set_state(contents["rng"])
    if contents["fixed_z"] is not None:
        state.fixed_z = contents["fixed_z"]
    if state.ema is not None:
        state.ema.model.load_state_dict(contents["ema"])
    if state.batches is not None:
        state.batches.load_state_dict(contents["batches"])
    restore(contents["global_rng"])


def load(path, state):
    contents = read_without_the_format(path)
    try:
        fill(contents, state)
    except Exception as error:
        raise CheckpointError(f"{path}: is of another training") from error


@right("9.4")
@right("9.5")
def one_rate_after_the_other():
    return save, load


@right("9.4")
@right("9.5")
def one_flat_dict_of_tensors():
    """All in one dict without levels, settings of the optimizers left out."""

    def write(path, state):
        found = collect(state)
        flat = {"step": torch.tensor(state.step), "rng": found["rng"], "global": capture()}
        for name in ("generator", "discriminator", "ema"):
            for key, value in (found[name] or {}).items():
                flat[f"{name}/{key}"] = value
        for name in ("optimizer_g", "optimizer_d"):
            flat[name] = found[name]["state"]
        flat |= {"z": state.fixed_z, "place": found["batches"]}
        write_with_tempfile(path, flat)

    def read(path, state):
        flat = read_with_an_own_test_of_the_file(path)

        def part(name):
            return {k.split("/")[1]: v for k, v in flat.items() if k.startswith(name + "/")}

        try:
            state.generator.load_state_dict(part("generator"))
            state.discriminator.load_state_dict(part("discriminator"))
            if state.ema:
                state.ema.model.load_state_dict(part("ema"))
            for name in ("optimizer_g", "optimizer_d"):
                own = getattr(state, name).state_dict()
                getattr(state, name).load_state_dict({**own, "state": flat[name]})
            state.step = int(flat["step"])
            state.rng = torch.Generator()
            state.rng.set_state(flat["rng"])
            state.fixed_z = flat["z"] if state.fixed_z is None else state.fixed_z.copy_(flat["z"])
            if state.batches:
                state.batches.load_state_dict(flat["place"])
            restore(flat["global"])
        except (KeyError, RuntimeError, AttributeError) as error:
            raise CheckpointError(f"{path}: {error}") from error

    return write, read


@right("9.4")
@right("9.5")
def field_by_field():
    """Whatever has a state_dict is saved by it, whatever the field's name."""

    def write(path, state):
        found = {"random": capture()}
        for field in fields(state):
            value = getattr(state, field.name)
            if isinstance(value, torch.Generator):
                value = value.get_state()
            elif hasattr(value, "model"):
                value = value.model.state_dict()
            elif hasattr(value, "state_dict"):
                value = value.state_dict()
            found[field.name] = value
        write_with_a_name_of_its_own(path, found)

    def read(path, state):
        found = read_with_a_function_for_the_place(path)
        own = {
            name: [dict(group) for group in getattr(state, name).param_groups]
            for name in ("optimizer_g", "optimizer_d")
        }
        try:
            for field in fields(state):
                value, here = found[field.name], getattr(state, field.name)
                if isinstance(here, torch.Generator):
                    here.set_state(value)
                elif hasattr(here, "model"):
                    here.model.load_state_dict(value)
                elif hasattr(here, "load_state_dict"):
                    here.load_state_dict(value)
                elif value is not None:
                    setattr(state, field.name, value)
            for name, groups in own.items():
                for group, old in zip(getattr(state, name).param_groups, groups, strict=True):
                    group.update({key: old[key] for key in ("lr", "betas")})
            restore(found["random"])
        except (RuntimeError, KeyError) as error:
            raise CheckpointError(f"{path} does not fit: {error}") from error

    return write, read


@right("9.4")
@right("9.5")
def copied_on_the_cpu():
    """Everything is copied first, as for a save in the background."""

    def write(path, state):
        def copied(value):
            if isinstance(value, Tensor):
                return value.detach().cpu().clone()
            if isinstance(value, dict):
                return {key: copied(one) for key, one in value.items()}
            return copy.deepcopy(value)

        save_contents = copied(collect(state))
        write_from_memory(path, save_contents)

    return write, load


# ---------------------------------------------------------------- 9.4 of a whole training, wrong


def without(*pieces):
    """Save and load, except for these pieces."""

    def forgetful(path, state):
        contents = read_without_the_format(path)
        own = collect(state)
        try:
            fill({**contents, **{piece: own[piece] for piece in pieces}}, state)
        except Exception as error:
            raise CheckpointError(f"{path}: is of another training") from error

    return save, forgetful


@wrong("9.4", rejected_by="networks_come_back", says="the generator's weights: not saved")
def forgets_the_generator():
    return without("generator")


@wrong("9.4", rejected_by="networks_come_back", says="the discriminator's weights: not saved")
def forgets_the_discriminator():
    return without("discriminator")


@wrong("9.4", rejected_by="networks_come_back", says="batch-norm statistics")
def saves_parameters_without_buffers():
    def write(path, state):
        found = collect(state)
        weights = state.generator.named_parameters()
        found["generator"] = {name: weight.data for name, weight in weights}
        write_in_short(path, found)

    def read(path, state):
        contents = read_without_the_format(path)
        buffers = dict(state.generator.named_buffers())
        contents["generator"] = {**buffers, **contents["generator"]}
        fill(contents, state)

    return write, read


@wrong("9.4", rejected_by="networks_come_back", says="the optimizer holds the parameters of before")
def makes_new_networks():
    def read(path, state):
        state.generator = copy.deepcopy(state.generator)
        load(path, state)

    return save, read


@wrong("9.4", rejected_by="networks_come_back", says="parameters of before")
def assigns_new_parameters():
    def read(path, state):
        contents = read_without_the_format(path)
        state.generator.load_state_dict(contents["generator"], assign=True)
        fill(contents, state)

    return save, read


@wrong("9.4", rejected_by="networks_come_back", says="other values")
def saves_in_half_precision():
    def write(path, state):
        found = collect(state)
        found["generator"] = {k: v.half() for k, v in found["generator"].items()}
        write_in_short(path, found)

    return write, load


@wrong("9.4", rejected_by="networks_come_back", says="the values of now")
def keeps_it_in_memory():
    kept = {}

    def write(path, state):
        kept[str(path)] = collect(state)
        save(path, state)

    return write, lambda path, state: fill(kept[str(path)], state)


@wrong("9.4", rejected_by="networks_come_back", says="a refusal because of")
def saves_whole_modules():
    def write(path, state):
        write_in_short(path, {**collect(state), "generator": state.generator})

    def read(path, state):
        contents = read_without_the_format(path)
        fill({**contents, "generator": contents["generator"].state_dict()}, state)

    return write, read


@wrong("9.4", rejected_by="optimizers_come_back", says="optimizer_g's running means (its state)")
def forgets_the_generators_optimizer():
    return without("optimizer_g")


@wrong("9.4", rejected_by="optimizers_come_back", says="optimizer_d's running means (its state)")
def forgets_the_discriminators_optimizer():
    return without("optimizer_d")


@wrong("9.4", rejected_by="optimizers_come_back", says="optimizer_g to be the same object")
def makes_new_optimizers():
    def read(path, state):
        load(path, state)
        learnt = state.optimizer_g.state_dict()
        state.optimizer_g = torch.optim.Adam(state.generator.parameters(), lr=0.01)
        state.optimizer_g.load_state_dict(learnt)

    return save, read


@wrong("9.4", rejected_by="optimizers_come_back", says="optimizer_d's running means")
def loads_one_optimizer_twice():
    def read(path, state):
        contents = read_without_the_format(path)
        fill(contents, state)
        state.optimizer_d.state.clear()
        state.optimizer_g.load_state_dict(contents["optimizer_g"])

    return save, read


@wrong("9.4", rejected_by="learning_rates_are_the_states_own", says="silently")
def takes_the_files_learning_rates():
    def read(path, state):
        load(path, state)
        contents = read_without_the_format(path)
        state.optimizer_g.load_state_dict(contents["optimizer_g"])
        state.optimizer_d.load_state_dict(contents["optimizer_d"])

    return save, read


@wrong("9.4", rejected_by="learning_rates_are_the_states_own", says="optimizer_d's learning rate")
def swaps_the_learning_rates():
    def read(path, state):
        lr = state.optimizer_g.param_groups[0]["lr"]
        load(path, state)
        state.optimizer_d.param_groups[0]["lr"] = lr

    return save, read


@wrong("9.4", rejected_by="step_and_random_numbers_come_back", says="state.step")
def forgets_the_step():
    return without("step")


@wrong("9.4", rejected_by="step_and_random_numbers_come_back", says="where the latents come from")
def forgets_the_latents_generator():
    return without("rng")


@wrong("9.4", rejected_by="step_and_random_numbers_come_back", says="dropout draws from it")
def forgets_the_global_random_states():
    return without("global_rng")


@wrong("9.4", rejected_by="step_and_random_numbers_come_back", says="numpy's global random state")
def forgets_numpys_random_state():
    def read(path, state):
        own = np.random.get_state()
        load(path, state)
        np.random.set_state(own)

    return save, read


@wrong("9.4", rejected_by="step_and_random_numbers_come_back", says="set_state(...) puts a state")
def puts_the_state_in_the_generators_place():
    def read(path, state):
        load(path, state)
        state.rng = state.rng.get_state()

    return save, read


@wrong("9.4", rejected_by="step_and_random_numbers_come_back", says="the random state")
def draws_after_restoring():
    def read(path, state):
        load(path, state)
        print("resumed run", random.randrange(1000))

    return save, read


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="the place in the data")
def forgets_the_place_in_the_data():
    return without("batches")


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="the place in the data")
def begins_the_pass_anew():
    def read(path, state):
        load(path, state)
        if state.batches:
            state.batches.position = 0

    return save, read


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="state.fixed_z: not saved")
def forgets_fixed_z():
    return without("fixed_z")


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="the average's) weights")
def forgets_the_average():
    return without("ema")


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="the average's) weights")
def fills_the_average_with_the_generator():
    def read(path, state):
        load(path, state)
        if state.ema:
            state.ema.model.load_state_dict(state.generator.state_dict())

    return save, read


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="three are optional")
def needs_all_three():
    def write(path, state):
        state.ema.model.state_dict()
        save(path, state)

    return write, load


@wrong("9.4", rejected_by="place_previews_and_average_come_back", says="only where there is one")
def fills_fixed_z_only_where_it_is():
    def read(path, state):
        before = state.fixed_z
        load(path, state)
        if before is None:
            state.fixed_z = None

    return save, read


@wrong("9.4", rejected_by="other_files_are_refused", says="checkpoint of wider networks")
def lets_torch_speak():
    return save, lambda path, state: fill(read_without_the_format(path), state)


@wrong("9.4", rejected_by="other_files_are_refused", says="other layers")
def loads_what_fits():
    def read(path, state):
        contents = read_without_the_format(path)
        try:
            for name in ("generator", "discriminator"):
                getattr(state, name).load_state_dict(contents[name], strict=False)
                contents[name] = getattr(state, name).state_dict()
            if state.ema is not None:
                contents["ema"] = contents["ema"] and state.ema.model.state_dict()
            fill(contents, state)
        except Exception as error:
            raise CheckpointError(f"{path}: is of another training") from error

    return save, read


@wrong("9.4", rejected_by="other_files_are_refused", says="no error, but")
def begins_anew_without_a_word():
    def read(path, state):
        try:
            load(path, state)
        except CheckpointError:
            print("could not load, starting from scratch")

    return save, read


# ---------------------------------------------------------------- 9.5 all together, wrong


@wrong("9.5", rejected_by="resumes_to_the_bit", says="optimizer_g's running means")
def weights_and_nothing_else():
    return without(
        "step", "optimizer_g", "optimizer_d", "rng", "global_rng", "batches", "fixed_z", "ema"
    )


@wrong("9.5", rejected_by="resumes_to_the_bit", says="dropout draws from it")
def resumes_without_global_random_states():
    return without("global_rng")


@wrong("9.5", rejected_by="resumes_to_the_bit", says="save_checkpoint itself changes")
def draws_fixed_latents_at_each_save():
    def write(path, state):
        state.fixed_z = torch.randn(4, state.z_dim)
        save(path, state)

    return write, load


@wrong("9.5", rejected_by="resumes_to_the_bit", says="state.step")
def counts_a_step_at_a_save():
    def write(path, state):
        state.step += 1
        save(path, state)

    return write, load


@wrong("9.5", rejected_by="saving_leaves_the_training_alone", says="torch's global random state")
def makes_a_preview_with_new_latents():
    def write(path, state):
        save(path, state)
        with torch.no_grad():
            state.generator.eval()(torch.randn(4, state.z_dim))
        state.generator.train()

    return write, load


@wrong("9.5", rejected_by="saving_leaves_the_training_alone", says="into eval()")
def puts_the_generator_into_eval():
    def write(path, state):
        state.generator.eval()
        save(path, state)

    return write, load


@wrong("9.5", rejected_by="resumes_again_and_again", says="was not written anew")
def writes_the_first_time_only():
    def write(path, state):
        if not os.path.exists(path):
            save(path, state)

    return write, load


@wrong("9.5", rejected_by="a_crash_while_saving_costs_nothing", says="is written")
def saves_straight_to_the_path():
    return lambda path, state: write_straight_to_the_path(path, collect(state)), load


@wrong("9.5", rejected_by="a_crash_while_saving_costs_nothing", says="moved away first")
def saves_with_a_backup():
    return lambda path, state: write_with_a_backup(path, collect(state)), load


@wrong("9.5", rejected_by="a_crash_while_saving_costs_nothing", says="is caught and kept")
def saves_and_hopes():
    return lambda path, state: write_and_hope(path, collect(state)), load
