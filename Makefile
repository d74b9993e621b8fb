# Thin: each target is one line of the tools. PYTHON chooses the interpreter for the environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: demo test lab release check-release lint lessons clean

# The main job, end to end, on the embedded faces.
demo: $(READY)
	$(BIN)/facegan demo

# All tests. What CI runs too. A test that hangs is ended and its stacks are shown.
HANGING := --durations=15 -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true --max-worker-restart=0
test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m facegan_ref.grading.release --check
	$(BIN)/python -m pytest $(HANGING) -n 2 --dist loadfile --no-loadscope-reorder tests --notebooks solutions
	FACEGAN_QUICK=1 FACEGAN_STRICT=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(HANGING) -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout 600 solutions

# JupyterLab on the lessons.
lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir lessons

# Regenerate lessons/ from solutions/.
release: $(READY)
	$(BIN)/python -m facegan_ref.grading.release

check-release: $(READY)
	$(BIN)/python -m facegan_ref.grading.release --check

lint: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Run every solution at full length and render it: open .lessons-html/*.html.
lessons: $(READY)
	FACEGAN_STRICT=1 $(BIN)/jupyter nbconvert --to html --execute --output-dir .lessons-html solutions/*/*.ipynb

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) .grading demo runs .lessons-html
