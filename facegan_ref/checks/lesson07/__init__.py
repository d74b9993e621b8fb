"""Lesson 7 and its tasks; the checks of each are in a module of their own."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson07 import (
    balance,
    sample,
    step,
    together,
)

lesson = Lesson(
    "07",
    "training_loop",
    "The training loop",
    builds="a training step, samples and dials that do not disturb the training",
    minutes=75,
    given={
        "TrainingState": "facegan_ref.loop:TrainingState",
        "discriminator_loss": "facegan_ref.losses:discriminator_loss",
        "generator_loss": "facegan_ref.losses:generator_loss",
        "discriminator_step": "facegan_ref.steps:discriminator_step",
        "generator_step": "facegan_ref.steps:generator_step",
        "sample_latent": "facegan_ref.sampling:sample_latent",
    },
)

lesson.task(
    "7.1",
    "sample",
    names=("sample",),
    points=6,
    hints=(
        "Batch normalisation does two things in training mode that it does not do in evaluation "
        "mode. Which of them changes the images, and which changes the generator?",
        "Remember generator.training, call generator.eval(), run it on z under torch.no_grad(), "
        "and put the mode back with generator.train(was_training): in a finally part, so that it "
        "happens after an error too.",
        "was_training = generator.training\n"
        "switch to evaluation mode\n"
        "try:     without gradients, return generator(z)\n"
        "finally: generator.train(was_training)",
        "generator = Generator(8, 4, 3, 8).train(), z = torch.randn(6, 8):\n"
        "sample(generator, z)[:1] and sample(generator, z[:1]) must be the same image, and\n"
        "generator.training must still be True; after generator.eval() it must stay False.",
    ),
)
lesson.task(
    "7.2",
    "train_step",
    names=("train_step",),
    points=8,
    hints=(
        "Somebody has just looked at samples, and the last batch of the pass has 40 images "
        "instead of 64. What must your step do before and besides the two updates?",
        "Move real to the device; train() on both networks; latents for len(real) images from "
        "state.rng; discriminator_step; latents again; generator_step; count; return two floats.",
        "device = next(state.generator.parameters()).device; real = real moved there\n"
        "both networks in training mode\n"
        "z = sample_latent(len(real), state.z_dim, state.rng, device)\n"
        "loss_d = discriminator_step(G, D, optimizer_d, real, z)\n"
        "z again;  loss_g = generator_step(G, D, optimizer_g, z)\n"
        "state.step += 1;  return a dict of two floats",
        "After state.generator.eval() and state.discriminator.eval(), train_step(state, real) must "
        "do\nexactly what it does without them; train_step(state, real[:3]) must work; and\n"
        "type(train_step(state, real)['loss_d']) must be float.",
    ),
)
lesson.task(
    "7.3",
    "evaluate_balance",
    names=("evaluate_balance",),
    points=4,
    hints=(
        "Two logits are 6 and -6. Their mean is 0, and its score ½. What is the mean of their two "
        "scores? And of 6 and -2?",
        "Ask D in evaluation mode without gradients, and put its mode back. Score: the sigmoid of "
        "each logit, then the mean. D is right about a real image where the logit is above 0, "
        "about a fake where it is below.",
        "evaluation mode, no gradients: real_logits = D(real), fake_logits = D(fake); mode back\n"
        "d_real = mean of sigmoid(real_logits);  d_fake = mean of sigmoid(fake_logits)\n"
        "acc_real = share of real_logits > 0;    acc_fake = share of fake_logits < 0\n"
        "all four as floats",
        "Logits 6, -2 and 0 for real images: d_real = (0.9975 + 0.1192 + 0.5) / 3 = 0.5389 and\n"
        "acc_real = 1/3. The same logits for fakes: d_fake = 0.5389 and acc_fake = 1/3.",
    ),
)
lesson.task(
    "7.4",
    "all three together",
    names=("sample", "train_step", "evaluate_balance"),
    points=2,
    hints=(
        "Each of the three is right alone. What does looking leave behind that training finds?",
        "After sample and evaluate_balance every mode and every buffer is as before, and "
        "train_step relies on nothing that they might have left: it sets both networks to "
        "training mode.",
        "for real in loader:\n"
        "    train_step(state, real)\n"
        "    sample(...), evaluate_balance(...)     with or without this line: the same weights",
        "Train two copies with one seed. Call sample after each step of one of them. All numbers "
        "in\ntheir state_dict() must be equal, also running_mean and num_batches_tracked.",
    ),
)

sample.add_to(lesson)
step.add_to(lesson)
balance.add_to(lesson)
together.add_to(lesson)
