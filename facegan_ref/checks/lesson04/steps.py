"""Checks of lesson 4's training steps, each alone: tasks 4.3 and 4.4."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.loss_mistakes import D_MISTAKES, NON_SATURATING_MISTAKES
from facegan_ref.checks.scalar_loss import CUT_OFF, close
from facegan_ref.checks.step_probe import (
    Game,
    call_d,
    call_g,
    logit_column,
    new_game,
    require_loss_value,
    require_same_settings,
    weights,
    wrong_number_of_steps,
)
from facegan_ref.losses import discriminator_loss, generator_loss

Formula = Callable[..., Tensor]
# Lesson 4 lets D's loss be the sum of the two halves or their mean.
D_FORMULAS: tuple[Formula, ...] = (
    discriminator_loss,
    lambda real, fake: discriminator_loss(real, fake) / 2,
)
NO_MOVE = "backward or optimizer.step is not called, or step lacks its parentheses"
STALE = (
    "old gradients are added to the new ones: call optimizer.zero_grad(), with parentheses, "
    "before backward"
)


def _d_loss(game: Game, formula: Formula) -> Tensor:
    fake = game.generator(game.z).detach()
    return formula(game.discriminator(game.real), game.discriminator(fake))


def _d_update(game: Game, formula: Formula) -> Tensor:
    """How D's weights move when one step follows `formula`."""
    twin = game.twin()
    before = weights(twin.discriminator)
    _d_loss(twin, formula).backward()
    twin.optimizer_d.step()
    return weights(twin.discriminator) - before


def _g_update(game: Game, formula: Formula) -> Tensor:
    """How G's weights move when one step follows `formula`."""
    twin = game.twin()
    before = weights(twin.generator)
    formula(twin.discriminator(twin.generator(twin.z))).backward()
    twin.optimizer_g.step()
    return weights(twin.generator) - before


def _same(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-3, atol=2e-6))


def _explain_move(
    came: Tensor, expected: Tensor, named: list[tuple[str, Tensor]], game: Game
) -> str | None:
    """Which mistake moves the weights by `came` where `expected` was right."""
    if not bool(torch.isfinite(came).all()):
        return "the loss or its gradient is nan: a logarithm of 0"
    if float(came.abs().max()) == 0:
        return NO_MOVE
    if wrong_number_of_steps(game):
        return wrong_number_of_steps(game)
    # Formulas of different values may have one gradient; then it is one of them.
    fitting = dict.fromkeys(name for name, move in named if _same(came, move))
    if fitting:
        return "; or: ".join(fitting)
    scale = float((came * expected).sum() / (expected * expected).sum())
    if _same(came, scale * expected):
        if scale < 0:
            return "the weights move the wrong way: the sign of the loss or its labels are swapped"
        return f"the update is {number(scale)} times as large as it should be"
    return None


def _require_d_move(came: Tensor, before: Game, game: Game) -> None:
    expected = [_d_update(before, formula) for formula in D_FORMULAS]
    if any(_same(came, move) for move in expected):
        return
    named = [(name, _d_update(before, formula)) for name, formula in D_MISTAKES]
    fail(
        f"D's weights to move by {number(float(expected[0].norm()))} (norm), along the gradient "
        "of discriminator_loss on the given real and generated batch",
        f"a move by {number(float(came.norm()))}",
        _explain_move(came, expected[0], named, game)
        or "the loss is not computed on D(real) and D(G(z)) as they are given, or gradients or "
        "weights are changed besides (clipping, noise)",
    )


def _require_g_move(came: Tensor, before: Game, game: Game) -> None:
    expected = _g_update(before, generator_loss)
    if _same(came, expected):
        return
    named = [(name, _g_update(before, formula)) for name, formula in NON_SATURATING_MISTAKES]
    likely = _explain_move(came, expected, named, game)
    if likely == NO_MOVE:
        likely = (
            "no gradient reaches G: its images are detached here (they must not be), or " + NO_MOVE
        )
    fail(
        f"G's weights to move by {number(float(expected.norm()))} (norm), along the gradient of "
        "generator_loss on D(G(z))",
        f"a move by {number(float(came.norm()))}",
        likely
        or "the loss is not generator_loss of D(G(z)), or gradients or weights are changed besides",
    )


def _require_finite_when_sure(came: Tensor, name: str) -> None:
    """Fail when the weights moved to nan or inf, on logits of several hundred."""
    if not bool(torch.isfinite(came).all()):
        fail(
            f"{name}'s weights to stay finite where D is very sure, with logits of several hundred",
            "nan or inf in the weights",
            CUT_OFF,
        )


def _move(network, step: Callable[[], object]) -> Tensor:
    before = weights(network)
    step()
    return weights(network) - before


def _plant(network, probe: Probe) -> None:
    for parameter in network.parameters():
        parameter.grad = 3 * probe.randn(*parameter.shape)


def _require_latents_used(game: Game, z: Tensor) -> None:
    seen = game.generator.seen
    if not seen or not all(torch.equal(rows, z) for rows in seen):
        fail(
            "the generator to be run on the given z",
            "no run of it" if not seen else "other latents than the given ones",
            "the step draws latents of its own: use its argument z",
        )


def add_to(lesson: Lesson) -> None:
    """Add the checks of tasks 4.3 and 4.4."""
    _add_discriminator_checks(lesson)
    _add_generator_checks(lesson)


def _add_discriminator_checks(lesson: Lesson) -> None:
    @lesson.check("4.3", points=0.5)
    def returns_the_detached_loss(discriminator_step, probe: Probe) -> None:
        """The step returns the loss before the update, without its graph."""
        column = logit_column(discriminator_step, call_d)
        game = new_game(probe, probe.integer(4, 8), column)
        before = game.twin()
        came = require_loss_value(call_d(discriminator_step, game))
        expected = [float(_d_loss(before, formula).detach()) for formula in D_FORMULAS]
        if not any(close(came, value, 1e-3) for value in expected):
            after = float(_d_loss(game.twin(), discriminator_loss).detach())
            named = ((name, float(_d_loss(before, f).detach())) for name, f in D_MISTAKES)
            likely = next((name for name, value in named if close(came, value, 1e-3)), None)
            if close(came, after, 1e-3):
                likely = "this is the loss after the update: compute it before"
            if game.calls > 1:
                likely = wrong_number_of_steps(game)
            fail(f"the loss {number(expected[0])}", number(came), likely)

    @lesson.check("4.3", points=1)
    def updates_the_discriminator(discriminator_step, probe: Probe) -> None:
        """D's weights move once, along the gradient of its loss on real and generated samples."""
        column = logit_column(discriminator_step, call_d)
        game = new_game(probe, probe.integer(4, 8), column)
        before = game.twin()
        came = _move(game.discriminator, lambda: call_d(discriminator_step, game))
        _require_d_move(came, before, game)
        sure = new_game(probe, 12, column)
        sure.make_sure()
        came = _move(sure.discriminator, lambda: call_d(discriminator_step, sure))
        _require_finite_when_sure(came, "D")

    @lesson.check("4.3", points=1)
    def leaves_the_generator_alone(discriminator_step, probe: Probe) -> None:
        """G's weights stay, no gradient reaches G, and modes and flags are as before."""
        column = logit_column(discriminator_step, call_d)
        game = new_game(probe, probe.integer(4, 8), column)
        reached: list[str] = []
        for name, parameter in game.generator.named_parameters():
            parameter.register_hook(lambda grad, name=name: reached.append(name))
        move = _move(
            game.generator,
            lambda: require_same_settings(game, lambda: call_d(discriminator_step, game)),
        )
        if float(move.abs().max()) > 0:
            fail("G's weights unchanged by D's step", "other weights", "the step updates G too")
        if reached:
            fail(
                "no gradient computed for G during D's step",
                f"gradients for {', '.join(dict.fromkeys(reached))}",
                "the generated batch is not detached: use generator(z).detach() or make it under "
                "torch.no_grad(). It saves the backward through G and leaves no stray gradients",
            )

    @lesson.check("4.3", points=0.5)
    def clears_old_gradients(discriminator_step, probe: Probe) -> None:
        """Gradients of an earlier call do not get into an update."""
        column = logit_column(discriminator_step, call_d)
        for planted in (False, True):
            game = new_game(probe, 5, column)
            if planted:
                _plant(game.discriminator, probe)
            call_d(discriminator_step, game)
            before = game.twin()
            came = _move(game.discriminator, lambda game=game: call_d(discriminator_step, game))
            if not any(_same(came, _d_update(before, formula)) for formula in D_FORMULAS):
                expected = _d_update(before, discriminator_loss)
                fail(
                    f"the second of two calls to move D by {number(float(expected.norm()))}",
                    f"a move by {number(float(came.norm()))}",
                    _explain_clean_first_call(discriminator_step, probe, column) or STALE,
                )

    @lesson.check("4.3", points=1)
    def trains_on_the_given_batches(discriminator_step, probe: Probe) -> None:
        """The step uses the given real batch and the given z, whatever the batch size."""
        column = logit_column(discriminator_step, call_d)
        for n in (1, 2, probe.integer(5, 9)):
            game = new_game(probe, n, column)
            before, z = game.twin(), game.z.clone()
            came = _move(game.discriminator, lambda game=game: call_d(discriminator_step, game))
            _require_latents_used(game, z)
            _require_d_move(came, before, game)


def _explain_clean_first_call(step: Callable, probe: Probe, column: bool) -> str | None:
    """A mistake that already the first call on clean gradients shows, if there is one."""
    game = new_game(probe, 5, column)
    before = game.twin()
    came = _move(game.discriminator, lambda: call_d(step, game))
    if any(_same(came, _d_update(before, formula)) for formula in D_FORMULAS):
        return None
    return "the first call already moves D wrongly: see updates_the_discriminator"


def _explain_clean_first_g_call(step: Callable, probe: Probe, column: bool) -> str | None:
    """The same for the generator's step."""
    game = new_game(probe, 5, column)
    before = game.twin()
    came = _move(game.generator, lambda: call_g(step, game))
    if _same(came, _g_update(before, generator_loss)):
        return None
    return "the first call already moves G wrongly: see updates_the_generator"


def _add_generator_checks(lesson: Lesson) -> None:
    @lesson.check("4.4", points=0.5)
    def returns_the_detached_loss(generator_step, probe: Probe) -> None:
        """The step returns the non-saturating loss before the update, without its graph."""
        column = logit_column(generator_step, call_g)
        game = new_game(probe, probe.integer(4, 8), column)

        def logits(game: Game) -> Tensor:
            return game.discriminator(game.generator(game.z)).detach()

        before = logits(game.twin())
        came = require_loss_value(call_g(generator_step, game))
        expected = float(generator_loss(before))
        if not close(came, expected, 1e-3):
            named = ((name, float(formula(before))) for name, formula in NON_SATURATING_MISTAKES)
            likely = next((name for name, value in named if close(came, value, 1e-3)), None)
            if close(came, float(generator_loss(logits(game.twin()))), 1e-3):
                likely = "this is the loss after the update: compute it before"
            if game.calls > 1:
                likely = wrong_number_of_steps(game)
            fail(f"the loss {number(expected)}", number(came), likely)

    @lesson.check("4.4", points=1)
    def updates_the_generator(generator_step, probe: Probe) -> None:
        """G's weights move once, along the gradient of its loss through D."""
        column = logit_column(generator_step, call_g)
        game = new_game(probe, probe.integer(4, 8), column)
        before = game.twin()
        came = _move(game.generator, lambda: call_g(generator_step, game))
        _require_g_move(came, before, game)
        sure = new_game(probe, 12, column)
        sure.make_sure()
        came = _move(sure.generator, lambda: call_g(generator_step, sure))
        _require_finite_when_sure(came, "G")

    @lesson.check("4.4", points=0.5)
    def leaves_the_discriminator_alone(generator_step, probe: Probe) -> None:
        """D's weights stay as they are, and modes and flags are as before."""
        column = logit_column(generator_step, call_g)
        game = new_game(probe, probe.integer(4, 8), column)
        move = _move(
            game.discriminator,
            lambda: require_same_settings(game, lambda: call_g(generator_step, game)),
        )
        if float(move.abs().max()) > 0:
            fail(
                "D's weights unchanged by G's step",
                "other weights",
                "D's parameters are updated in G's step: only G learns here",
            )

    @lesson.check("4.4", points=0.5)
    def clears_old_gradients(generator_step, probe: Probe) -> None:
        """Gradients of an earlier call do not get into an update."""
        column = logit_column(generator_step, call_g)
        for planted in (False, True):
            game = new_game(probe, 5, column)
            if planted:
                _plant(game.generator, probe)
            call_g(generator_step, game)
            before = game.twin()
            came = _move(game.generator, lambda game=game: call_g(generator_step, game))
            expected = _g_update(before, generator_loss)
            if not _same(came, expected):
                fail(
                    f"the second of two calls to move G by {number(float(expected.norm()))}",
                    f"a move by {number(float(came.norm()))}",
                    _explain_clean_first_g_call(generator_step, probe, column) or STALE,
                )

    @lesson.check("4.4", points=0.5)
    def uses_the_given_latents(generator_step, probe: Probe) -> None:
        """The step uses the given z, whatever the batch size."""
        column = logit_column(generator_step, call_g)
        for n in (1, 2, probe.integer(5, 9)):
            game = new_game(probe, n, column)
            before, z = game.twin(), game.z.clone()
            came = _move(game.generator, lambda game=game: call_g(generator_step, game))
            _require_latents_used(game, z)
            _require_g_move(came, before, game)
