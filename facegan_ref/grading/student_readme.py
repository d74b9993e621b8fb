"""The pages and settings that only a student edition has."""

README = """\
# Face GANs, from first principles

A course in PyTorch that starts with two small networks playing against each other and ends with a
generator of faces that you trained, saved, resumed and morphed. Every task checks itself: write the
missing lines, run the cell below, and read at once what is right, what is wrong, and why.

## Start

With Python 3.10 or later, pip and make:

```sh
make lab
```

makes the environment in `.venv` (the download of PyTorch takes most of the time) and opens
JupyterLab on `lessons/`. Without make, or on Windows:

```sh
python -m venv .venv
.venv/bin/python -m pip install -e ".[course]"
.venv/bin/jupyter lab --notebook-dir lessons
```

(on Windows `.venv\\Scripts` in place of `.venv/bin`). With conda: `conda env create -f
environment.yml`. Or click on a lesson's *Open in Colab*. No GPU, no data set and no account is
needed.

[docs/students.md](docs/students.md) has all ways to work (JupyterLab, Colab, an editor) and what to
do when you are stuck.

## Work

Open a lesson, fill in a cell, run the one below it. Stuck? `hint("3.3", 1)` asks a question; levels
2 to 4 go on to the rule, pseudo-code and a failing case. The same checks run from a terminal:

```sh
.venv/bin/facegan check 03 --from lessons/03_losses/03_losses.ipynb
make test    # all lessons; what you have not begun is skipped
```

Commit or copy your notebooks before you take a new edition.

## Hand in

Hand in the notebook file, such as `03_losses.ipynb`, in the way that your instructor says; if you
can, keep its name. Restart the kernel and run all cells once before. What counts is what stands in
the notebook: modules beside it are not used. Do not delete or edit the check cells: they are put
back. While grading, every check runs again on sizes and seeds of its own, and from `facegan_ref`
nothing can be imported but figures, data, and what the lesson's own cells import. The package is
there to compare with, to train with, and to build on in later lessons: write your answers yourself.

## The lessons

{table}

More about the package: [an overview](docs/reference.md), [training](docs/training.md),
[morphing](docs/morphing.md), [measuring](docs/measuring.md), [the page](docs/app.md),
[your own pictures](data_prep/README.md).

## Licence

Code: MIT. Text of the lessons: CC BY 4.0. See [LICENSE](LICENSE).
"""

MAKEFILE = """\
# Thin: each target is one line of the tools. PYTHON chooses the interpreter for the environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: lab test clean

# JupyterLab on the lessons.
lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir lessons

# The checks on your notebooks in lessons/; what you have not begun is skipped.
test: $(READY)
	$(BIN)/python -m pytest tests/lessons

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[course]"
	touch $(READY)

clean:
	rm -rf $(VENV)
"""

GITIGNORE = """\
.venv/
__pycache__/
*.py[cod]
*.egg-info/
.ipynb_checkpoints/
.pytest_cache/
/runs/
/data/

# data sets never enter the repository
*.npy
*.npz
!facegan_ref/assets/*.npz
*.zip
*.parquet
"""
