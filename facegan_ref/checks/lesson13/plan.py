"""Checks of task 13.1: own_recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from facegan_ref.capstone import count_parameters
from facegan_ref.checks.engine import Lesson, Probe, fail, require_type
from facegan_ref.recipes import Recipe

Budget = tuple[int, int, int, int]
LEAST_BATCH = 16


def budgets(probe: Probe) -> Iterator[Budget]:
    """Images, their size, steps and parameters, as the task's text allows them."""
    yield 2000, 32, 620, 300_000
    yield 202_599, 64, 30_000, 7_000_000
    images = probe.integer(64, 700)
    yield images, 16, images // 16 + probe.integer(0, 5), probe.integer(200_000, 400_000)
    yield (
        probe.integer(5000, 20_000),
        32,
        probe.integer(1300, 9000),
        1_000 * probe.integer(900, 9000),
    )


def recipe_for(own_recipe: Callable, budget: Budget) -> Recipe:
    """The student's recipe for a budget; the check fails when it is none."""
    try:
        recipe = own_recipe(*budget)
    except ZeroDivisionError:
        fail(
            f"a recipe from own_recipe{budget}",
            "a division by zero",
            "batch_size is larger than the number of images, so that an epoch has no whole batch",
        )
    except ValueError as error:
        fail(
            f"a recipe from own_recipe{budget}",
            f"ValueError: {error}",
            "Recipe refuses a value: epochs 0, perhaps, because one epoch is longer than max_steps "
            "allows"
            if "epochs" in str(error)
            else "Recipe checks its fields, and says above which one it refuses",
        )
    return require_type(
        recipe, Recipe, f"a Recipe from own_recipe{budget}", "return Recipe(name=…, source=…, …)"
    )


def steps_of(recipe: Recipe, images: int) -> int:
    return recipe.epochs * (images // recipe.batch_size)


def whole(recipe: Recipe) -> None:
    """The recipe's sizes are whole numbers."""
    for name in ("image_size", "z_dim", "ngf", "ndf", "batch_size", "epochs"):
        value = getattr(recipe, name)
        if isinstance(value, bool) or not isinstance(value, int):
            fail(
                f"{name} to be an int",
                f"{value!r}, a {type(value).__name__}",
                "/ gives a float: // or int(...) gives a whole number",
            )


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 13.1."""

    @lesson.check("13.1", points=0.5)
    def a_recipe_with_an_average(own_recipe, probe: Probe) -> None:
        """A Recipe of the asked image size, with a name and a source of its own and an average."""
        for budget in list(budgets(probe))[:3:2]:
            recipe = recipe_for(own_recipe, budget)
            whole(recipe)
            if recipe.image_size != budget[1]:
                fail(
                    f"image_size {budget[1]}",
                    f"{recipe.image_size}",
                    "image_size keeps its default: pass it on",
                )
            for name in ("name", "source"):
                if not str(getattr(recipe, name)).strip():
                    fail(f"a {name}", "an empty one", "say what it is called and where it is from")
            if not recipe.ema_decay:
                fail(
                    "a recipe that averages the generator's weights: ema_decay above 0",
                    "ema_decay 0.0",
                    "0 is the default and means no average",
                )

    @lesson.check("13.1", points=0.5)
    def batches_fit_the_images(own_recipe, probe: Probe) -> None:
        """Batches have 16 images or more, and there are enough images to fill one."""
        for budget in (*list(budgets(probe))[1:3], (64, 16, 4, 200_000)):
            recipe = recipe_for(own_recipe, budget)
            whole(recipe)
            if recipe.batch_size < LEAST_BATCH:
                fail(
                    f"batch_size {LEAST_BATCH} or more",
                    f"{recipe.batch_size}",
                    "statistics of so few images are noise, which batch norm takes in",
                )
            if recipe.batch_size > budget[0]:
                fail(
                    f"batch_size at most {budget[0]}, the number of images",
                    f"{recipe.batch_size}",
                    "no batch can be filled",
                )

    @lesson.check("13.1", points=1)
    def keeps_to_the_steps(own_recipe, probe: Probe) -> None:
        """The training takes at most `max_steps` steps, and at least half of them."""
        for budget in budgets(probe):
            images, _, most, _ = budget
            recipe = recipe_for(own_recipe, budget)
            whole(recipe)
            steps = steps_of(recipe, images)
            came = (
                f"{recipe.epochs} epochs of {images // recipe.batch_size} steps, together "
                f"{steps:,} (batch_size {recipe.batch_size})"
            )
            likely = None
            if recipe.epochs == most:
                likely = "epochs are passes over all images, not steps"
            elif recipe.epochs == RECIPE_DEFAULTS["epochs"]:
                likely = "epochs has the default, 10, whatever max_steps is"
            elif 0 < steps - most <= images // recipe.batch_size:
                likely = "the last epoch is begun, though it does not fit any more: round down"
            if not steps <= most:
                fail(f"at most {most:,} steps for {images:,} images", came, likely)
            if steps < most / 2:
                fail(
                    f"at least half of {most:,} steps for {images:,} images",
                    came,
                    likely or "the budget is given away: a longer training makes better faces",
                )

    @lesson.check("13.1", points=1)
    def keeps_to_the_parameters(own_recipe, probe: Probe) -> None:
        """Both networks together have at most `max_parameters` weights, and at least a quarter."""
        for budget in budgets(probe):
            most = budget[3]
            recipe = recipe_for(own_recipe, budget)
            whole(recipe)
            try:
                count = count_parameters(recipe)
            except ValueError as error:
                fail("a recipe whose networks can be built", f"ValueError: {error}", None)
            came = f"{count:,} with ngf {recipe.ngf}, ndf {recipe.ndf}, z_dim {recipe.z_dim}"
            if count > most:
                generator = count_parameters(recipe.override(ndf=1))
                fail(
                    f"at most {most:,} parameters at {budget[1]} pixels",
                    came,
                    "only one of the two networks is counted"
                    if generator <= most and count <= 2.5 * most
                    else "ngf and ndf must follow from max_parameters",
                )
            if count < most / 4:
                fail(
                    f"at least a quarter of {most:,} parameters at {budget[1]} pixels",
                    came,
                    "narrow networks draw blurred faces: use what is allowed",
                )


RECIPE_DEFAULTS = Recipe("", "").to_dict()
