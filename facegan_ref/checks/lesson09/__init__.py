"""Checks of lesson 9: the tasks. Their checks are in the modules beside this one."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson09 import reading, resume, rng, state, writing

lesson = Lesson(
    "09",
    "checkpoints",
    "Checkpoints",
    builds="a checkpoint from which a killed training goes on to the bit",
    minutes=90,
    given={
        "os": "os",
        "random": "random",
        "pickle": "pickle",
        "np": "numpy",
        "Path": "pathlib:Path",
        "FORMAT": "facegan_ref.checkpoint:FORMAT",
        "CheckpointError": "facegan_ref.checkpoint:CheckpointError",
        "TrainingState": "facegan_ref.loop:TrainingState",
    },
)

lesson.task(
    "9.1",
    "capture_rng and restore_rng",
    names=("capture_rng", "restore_rng"),
    points=4,
    hints=(
        "Who draws random numbers in a training without being handed a generator? And what would "
        "each of them have to tell you, so that you could draw its next number yourself?",
        "torch, torch.cuda, torch.mps, numpy and Python's random each have a pair of functions "
        "that get and set a state. The result must go into a file that holds no foreign objects: "
        "numpy's array has to become a list or a tensor.",
        "capture: a dict with torch.get_rng_state(), torch.cuda.get_rng_state_all(), MPS's state\n"
        "         or None, numpy's state with its array as a list, random.getstate()\n"
        "restore: set each; of CUDA's states only the first torch.cuda.device_count(), and MPS's\n"
        "         only where it is available",
        "np.random.get_state() is a tuple ('MT19937', array of 624 numbers, place, 0 or 1, a "
        "number).\ntorch.load(..., weights_only=True) refuses the array. It takes "
        "(name, keys.tolist(), *rest), and so\ndoes np.random.set_state.",
    ),
)
lesson.task(
    "9.2",
    "write_checkpoint",
    names=("write_checkpoint",),
    points=3,
    hints=(
        "The power goes in the middle of torch.save(contents, path). What is at path then, and "
        "where is the checkpoint that was there before?",
        "Write to another name in the same folder. Only when all bytes are there, give the file "
        "its final name with os.replace, which is one step: before it path is the old file, "
        "after it the new one.",
        "path = Path(path); make the folder where it is missing\n"
        'beside = path with ".partial" after its name\n'
        'torch.save {"format": FORMAT, **contents} into beside, flush, os.fsync\n'
        "os.replace(beside, path)",
        "torch.save({'weights': torch.zeros(9), 'more': open}, path) raises. Was there a "
        "checkpoint at path, it\nis gone: the file was emptied before the error. With "
        "write_checkpoint it must still be there.",
    ),
)
lesson.task(
    "9.3",
    "read_checkpoint",
    names=("read_checkpoint",),
    points=3,
    hints=(
        "What may lie at path, when it isn't what you wrote? Try to find five things.",
        "torch.load with weights_only=True runs no code, and with map_location='cpu' it needs no "
        "GPU. Whatever it raises becomes a CheckpointError with the path in its text. Then look "
        "whether you have a dict, and the right format.",
        "open path (FileNotFoundError comes by itself)\n"
        "try: contents = torch.load(file, map_location=…, weights_only=…)\n"
        "except Exception as error: raise CheckpointError(f'{path}: …') from error\n"
        "no dict, or contents.get('format') is not FORMAT: raise CheckpointError(f'{path}: …')\n"
        "return contents",
        "An empty file makes torch.load raise EOFError, half a file RuntimeError, a web page "
        "UnpicklingError.\ntorch.save([1, 2], path) makes a file that loads well, and "
        "[1, 2].get is an AttributeError.",
    ),
)
lesson.task(
    "9.4",
    "save_checkpoint and load_checkpoint",
    names=("save_checkpoint", "load_checkpoint"),
    points=6,
    hints=(
        "Go through the fields of TrainingState, one by one. Which of them would be different in "
        "a process that begins anew?",
        "Modules, optimizers and Batches have state_dict() and load_state_dict(), a generator has "
        "get_state() and set_state(); the global random states are task 9.1. An optimizer's "
        "state_dict has two parts: 'state' is what it has learnt, 'param_groups' its settings.",
        "save: write_checkpoint(path, one entry each for generator, discriminator, optimizer_g,\n"
        "      optimizer_d, step, rng, global random states, batches, fixed_z, ema.model)\n"
        "load: contents = read_checkpoint(path); fill each again, in place; the optimizers keep\n"
        "      their own param_groups; whatever does not fit becomes a CheckpointError",
        "optimizer = torch.optim.Adam(net.parameters(), lr=0.003); load into it the state_dict of "
        "one with lr=0.01:\noptimizer.param_groups[0]['lr'] is 0.01 now, and nobody said so.",
    ),
)
lesson.task(
    "9.5",
    "all together",
    names=("save_checkpoint", "load_checkpoint"),
    points=4,
    hints=(
        "The message says which pieces are not as they were saved. If it names none, what do "
        "save_checkpoint or load_checkpoint change besides?",
        "Saving must not draw a random number nor change a network. Loading must set the random "
        "states last, after all that might draw. And only write_checkpoint may write.",
        "save_checkpoint: collect, then one write_checkpoint\n"
        "load_checkpoint: one read_checkpoint, fill all, restore_rng at the end",
        "Train 20 steps, save, make all objects new, call torch.manual_seed(99), load, train 20 "
        "more. The 21st\nloss must be the 21st of a training that was never stopped: with ==, not "
        "with isclose.",
    ),
)

rng.add_to(lesson)
writing.add_to(lesson)
reading.add_to(lesson)
state.add_to(lesson)
resume.add_to(lesson)
