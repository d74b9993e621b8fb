"""Checks of task 12.1: the exponential moving average of a network."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from facegan_ref.checks.engine import Lesson, Probe, fail, number
from facegan_ref.checks.lesson12.average_probe import (
    Z_DIM,
    Painter,
    averaged,
    make,
    parameters_of,
    refill,
    require_same,
    storages,
    update,
    values_of,
    wrong_averages,
)
from facegan_ref.checks.scalar_loss import vector

DECAYS = (0.9, 0.5, 0.99, 0.0)


def add_to(lesson: Lesson) -> None:
    """Add the checks of task 12.1."""

    @lesson.check("12.1", points=0.5)
    def begins_as_a_copy(EMA, probe: Probe) -> None:
        """`ema.model` begins with all values of the model, in a memory of its own."""
        model = Painter(probe)
        before = values_of(model)
        average = averaged(make(EMA, model, 0.9), model)
        if average is model:
            fail(
                "a network of its own in ema.model",
                "the model itself",
                "self.model = model is a second name for the same network: use copy.deepcopy",
            )
        require_same(before, values_of(model), "the model's values", "__init__ changes the model")
        for name, value in average.state_dict().items():
            if not torch.equal(before[name], value):
                fail(
                    "the model's values in ema.model, before any update",
                    f"other values in {name}",
                    "a new network was built, or its values were set to 0: a deep copy has them",
                )
        shared = storages(model).keys() & storages(average).keys()
        if shared:
            names = ", ".join(sorted(storages(model)[place] for place in shared))
            fail(
                "memory of its own for each tensor of ema.model",
                f"memory that is shared with the model's: {names}",
                "copy.copy, state_dict() without clone, or an assignment copies the names and not "
                "the numbers: use copy.deepcopy(model)",
            )

    @lesson.check("12.1", points=0.5)
    def ready_to_sample(EMA, probe: Probe) -> None:
        """`ema.model` is in evaluation mode and needs no gradients, before and after updates."""
        for mode in (True, False):
            model = Painter(probe).train(mode)
            ema = make(EMA, model, 0.8)
            for when in ("at first", "after an update"):
                average = averaged(ema, model)
                if any(module.training for module in average.modules()):
                    fail(
                        "ema.model in evaluation mode",
                        f"training mode {when}",
                        "call .eval() on the copy; if update writes into it, don't call train()",
                    )
                learning = [n for n, p in average.named_parameters() if p.requires_grad]
                if learning:
                    fail(
                        "parameters of ema.model with requires_grad = False",
                        f"requires_grad = True {when}: {', '.join(learning)}",
                        "no optimizer ever moves the average: call .requires_grad_(False) on it",
                    )
                z = probe.randn(5, Z_DIM)
                images = average(z)
                if not isinstance(images, Tensor) or images.requires_grad:
                    fail(
                        "images without a graph from ema.model",
                        "images with a graph" if isinstance(images, Tensor) else "no images",
                        "a tensor of the copy still hangs on the model's graph",
                    )
                refill(model, probe)
                update(ema, model)

    @lesson.check("12.1", points=1)
    def average_is_exact(EMA, probe: Probe) -> None:
        """After k updates each parameter is decay · average + (1 - decay) · new, k times over."""
        for decay in DECAYS:
            model = Painter(probe)
            ema = make(EMA, model, decay)
            begin = expected = parameters_of(model)
            seen, wanted, came = [], [], []
            for _ in range(probe.integer(3, 5)):
                refill(model, probe)
                seen.append(parameters_of(model))
                expected = {
                    name: decay * old + (1 - decay) * seen[-1][name]
                    for name, old in expected.items()
                }
                wanted.append(expected)
                update(ema, model)
                came.append(parameters_of(averaged(ema, model)))
            for k, (right, found) in enumerate(zip(wanted, came, strict=True), start=1):
                for name, value in right.items():
                    if torch.allclose(found[name], value, rtol=1e-4, atol=1e-5):
                        continue
                    # After one update several mistakes look alike: the last one tells.
                    known = wrong_averages(begin[name], [one[name] for one in seen], decay)
                    likely = next(
                        (
                            text
                            for text, wrong in known
                            if torch.allclose(came[-1][name], wrong, rtol=1e-4, atol=1e-5)
                        ),
                        None,
                    )
                    fail(
                        f"{vector(value)} in {name} after {k} update{'s' * (k > 1)} with decay "
                        f"{decay:g}",
                        vector(found[name]),
                        likely,
                    )

    @lesson.check("12.1", points=1)
    def buffers_are_copied(EMA, probe: Probe) -> None:
        """Buffers, such as BatchNorm's running statistics, are copied as they are, not averaged."""
        model = Painter(probe)
        ema = make(EMA, model, 0.9)
        begin = values_of(model)
        for _ in range(2):
            refill(model, probe)
            update(ema, model)
        average = dict(averaged(ema, model).named_buffers())
        for name, buffer in model.named_buffers():
            came = average[name]
            if came.dtype != buffer.dtype:
                fail(
                    f"{name} of dtype {buffer.dtype}",
                    f"{came.dtype}",
                    "a buffer is replaced by an average: copy it with copy_",
                )
            if torch.equal(came, buffer):
                continue
            likely = (
                "buffers are averaged like weights: a mean of running means and variances is not "
                "that of the averaged network, and num_batches_tracked is a whole number. Copy them"
            )
            if torch.equal(came, begin[name]):
                likely = (
                    "buffers are left as they were at the beginning: parameters() does not contain "
                    "them, go through buffers() too. Else G's first statistics meet its later "
                    "weights, and the samples are wrong"
                )
            fail(f"the model's {vector(buffer.float())} in {name}", vector(came.float()), likely)
        if storages(model).keys() & storages(ema.model).keys():
            fail(
                "copies of the buffers, in memory of their own",
                "memory that is shared with the model",
                "an assignment makes both networks share a buffer: write kept.copy_(buffer)",
            )

    @lesson.check("12.1", points=0.5)
    def model_is_untouched(EMA, probe: Probe) -> None:
        """Making and updating the average leave the trained network as it is, ready to train on."""
        for mode in (True, False):
            model = Painter(probe).train(mode)
            model.net[0].bias.requires_grad_(False)
            z = probe.randn(6, Z_DIM)
            model(z).square().sum().backward()
            refill(model, probe)
            values = values_of(model)
            flags = {name: p.requires_grad for name, p in model.named_parameters()}
            grads = {
                n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()
            }
            ema = make(EMA, model, 0.7)
            twin = copy.deepcopy(model)
            for _ in range(2):
                update(ema, model)
            if any(module.training != mode for module in model.modules()):
                fail(
                    f"the model in {'training' if mode else 'evaluation'} mode, as it was",
                    "the other mode",
                    "eval() or train() is called on the model: only the copy is put into "
                    "evaluation mode",
                )
            if flags != {name: p.requires_grad for name, p in model.named_parameters()}:
                fail(
                    "requires_grad of the model's parameters as it was",
                    "another setting",
                    "requires_grad_(False) reaches the model: call it on the copy. Else the "
                    "training stops without a word",
                )
            require_same(
                values,
                values_of(model),
                "the model's values",
                "the average is written into the model: the update goes the other way",
            )
            for name, p in model.named_parameters():
                kept = grads[name]
                if (p.grad is None) != (kept is None) or (
                    kept is not None and not torch.equal(p.grad, kept)
                ):
                    fail("the model's gradients as they were", f"others for {name}", None)
            torch.manual_seed(probe.seed)
            optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (model, twin)]
            for net, optimizer in zip((model, twin), optimizers, strict=True):
                optimizer.zero_grad()
                net(z).square().sum().backward()
                optimizer.step()
            update(ema, model)
            require_same(
                values_of(twin), values_of(model), "a training step after the update", "see above"
            )

    @lesson.check("12.1", points=0.5)
    def works_with_what_comes(EMA, probe: Probe) -> None:
        """No graph is kept, `ema.decay` may be changed between updates, tensors included."""
        model = Painter(probe)
        ema = make(EMA, model, 0.9)
        first = model.net[0].weight
        expected = first.detach().clone().double()
        for decay in (0.9, 0.2, torch.tensor(0.6), 0.0):
            try:
                ema.decay = decay
            except (TypeError, AttributeError) as error:
                fail(
                    f"ema.decay = {float(decay):g} to be possible",
                    f"{type(error).__name__}: {error}",
                    "keep it as a plain attribute, self.decay = decay",
                )
            refill(model, probe)
            update(ema, model)
            expected = float(decay) * expected + (1 - float(decay)) * first.detach().double()
            average = averaged(ema, model)
            came = average.net[0].weight
            if came.grad_fn is not None or came.requires_grad:
                fail(
                    "an average without a graph",
                    "a tensor that remembers how it was computed",
                    "the update is not under torch.no_grad(): its graph grows with each step until "
                    "the memory is full",
                )
            if not torch.allclose(came.double(), expected, rtol=1e-4, atol=1e-5):
                fail(
                    f"ema.decay = {float(decay):g} in use after it was set",
                    f"{vector(came)} in place of {vector(expected)}",
                    "the decay of the beginning is used: keep it as self.decay, and read "
                    "self.decay in update",
                )
        gap = float(
            (average(torch.ones(2, Z_DIM)) - copy.deepcopy(model).eval()(torch.ones(2, Z_DIM)))
            .abs()
            .max()
        )
        if gap > 1e-5:
            fail(
                "after an update with decay 0 the images of the model in evaluation mode",
                f"images that differ by up to {number(gap)}",
                "not all parameters and buffers are brought up to date",
            )
