"""Checks of lesson 8: the tasks and their hints; what they must do is in the modules beside."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson08 import (
    losses,
    noise,
    optimizers,
    schedule,
    wrapper,
)

lesson = Lesson(
    "08",
    "stabilisers",
    "Stabilisers",
    builds="smoothed labels, annealed instance noise and two learning rates, and what each is for",
    minutes=80,
)

lesson.task(
    "8.1",
    "smooth_real_labels and discriminator_loss",
    names=("smooth_real_labels", "discriminator_loss"),
    points=5,
    hints=(
        "Cross-entropy with the label 1 is lowest at an infinite logit. With which label is it "
        "lowest at the score 0.9, and whose label may be changed so: that of real images, that of "
        "fake ones, or both?",
        "The real label becomes 1 - smoothing, in the shape of the real logits. The fake label "
        "stays exactly 0. All else is lesson 3: mean over each batch, sum of the two halves, "
        "cross-entropy from logits.",
        "smooth_real_labels: a tensor like logits, filled with 1 - smoothing\n"
        "discriminator_loss: real_labels = smooth_real_labels(real_logits, smoothing)\n"
        "    real_loss = cross-entropy-with-logits(real_logits, real_labels)\n"
        "    fake_loss = cross-entropy-with-logits(fake_logits, zeros like fake_logits)\n"
        "    return real_loss + fake_loss",
        "discriminator_loss(torch.zeros(4), torch.zeros(4), 0.1) is still 2 ln 2 = 1.3863, and\n"
        "discriminator_loss(torch.tensor([200.]), torch.tensor([-200.]), 0.1) must be 20: "
        "too sure is expensive now. With two-sided labels it would be 40.",
    ),
)
lesson.task(
    "8.2",
    "noise_sigma",
    names=("noise_sigma",),
    points=3,
    hints=(
        "Which share of the training is still to come at `step`? What is it at step 0, at "
        "total_steps, and after?",
        "sigma0 times the share 1 - step / total_steps, but never below 0. Compute the share "
        "first: it is exactly 0 at the end, and sigma0 times 0 is too.",
        "share = 1 - step / total_steps\nif share is below 0: share = 0\nreturn sigma0 * share",
        "noise_sigma(3, 10, 0.1) must be 0.07, noise_sigma(10, 10, 0.45) exactly 0.0\n"
        "(rounding may leave 1e-17), and noise_sigma(25, 10, 0.1) exactly 0.0, not -0.15.",
    ),
)
lesson.task(
    "8.3",
    "add_instance_noise",
    names=("add_instance_noise",),
    points=5,
    hints=(
        "Who looks at the noisy images, and does that network care whether a number lies outside "
        "[-1, 1]? What would G learn if the gradient stopped at the noise?",
        "images + sigma * standard normal noise, drawn in the images' shape, dtype and device, "
        "from the given torch.Generator. Nothing is clamped, detached, or changed in place.",
        "noise = empty tensor like images, filled from a normal distribution by `generator`\n"
        "return images + sigma * noise",
        "noisy = add_instance_noise(torch.ones(64, 3, 8, 8), 0.3): about half of it must be above "
        "1,\nits mean near 1 and its std near 0.3; and noisy[0] must differ from noisy[1].",
    ),
)
lesson.task(
    "8.4",
    "NoisyDiscriminator",
    names=("NoisyDiscriminator",),
    points=4,
    hints=(
        "D is called three times in a round: on which batches? What do the three calls have in "
        "common, wherever they stand in the code?",
        "All images on their way to D go through D's call. So a module that holds D and adds noise "
        "in its own forward reaches all of them, with new noise each time.",
        "__init__: call super().__init__(); keep discriminator, sigma and rng as attributes\n"
        "forward:  noisy = add_instance_noise(images, the sigma of now, rng)\n"
        "          return the discriminator's logits for noisy",
        "noisy = NoisyDiscriminator(D, 0.5); noisy.sigma = 0.0\n"
        "noisy(x) must now equal D(x), list(noisy.parameters()) must be D's very parameters, and\n"
        "with sigma = 0.5 two calls noisy(x) must differ, also after noisy.eval().",
    ),
)
lesson.task(
    "8.5",
    "make_optimizers",
    names=("make_optimizers",),
    points=3,
    hints=(
        "An optimizer moves what it holds, as fast as its learning rate says. What does each of "
        "the two have to hold, and which of the four numbers belongs to it?",
        "Two torch.optim.Adam: the generator's parameters with lr_g, the discriminator's with "
        "lr_d, both with the given betas, (0.5, 0.999) by default. Return the generator's first.",
        "optimizer_g = Adam(parameters of generator, lr = lr_g, betas = betas)\n"
        "optimizer_d = Adam(parameters of discriminator, lr = lr_d, betas = betas)\n"
        "return optimizer_g, optimizer_d",
        "og, od = make_optimizers(G, D, 1e-4, 4e-4, betas=(0.0, 0.9))\n"
        "og.param_groups[0]['lr'] must be 1e-4 and od.param_groups[0]['betas'] (0.0, 0.9).",
    ),
)

losses.add_to(lesson)
schedule.add_to(lesson)
noise.add_to(lesson)
wrapper.add_to(lesson)
optimizers.add_to(lesson)
