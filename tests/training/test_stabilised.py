"""What a recipe's fields do inside a training: who sees what, and which loss is minimised."""

import copy

import pytest
import torch
from exact import assert_same

from facegan_ref.losses import OBJECTIVES, discriminator_loss
from facegan_ref.sampling import draw_latent, sample
from facegan_ref.stabilise import noise_sigma, r1_penalty, renew_statistics
from facegan_ref.training import Trainer


def one_step(trainer):
    """Copies of the networks before the next step, and what each was given and gave in it."""
    before = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.discriminator)
    seen = {"generator": [], "discriminator": []}
    hooks = [
        getattr(trainer, name).register_forward_hook(
            lambda _, given, gave, log=log: log.append((given[0].detach(), gave.detach()))
        )
        for name, log in seen.items()
    ]
    trainer.run(until=trainer.step + 1)
    for hook in hooks:
        hook.remove()
    return *before, seen["generator"], seen["discriminator"]


def test_d_sees_the_real_and_the_generated_batch_apart_and_g_is_judged_once(
    tiny_recipe, tiny_faces
):
    trainer = Trainer(tiny_recipe, tiny_faces)
    indices, _, _ = trainer.inputs(0)
    _, _, (made,), (real, fake, judged) = one_step(trainer)
    assert torch.equal(real[0], trainer.real_batch(indices))
    assert torch.equal(fake[0], made[1]) and torch.equal(judged[0], made[1])


def test_fresh_latents_give_g_a_batch_of_its_own(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(fresh_latents=True), tiny_faces)
    _, _, (for_d, for_g), (_, fake, judged) = one_step(trainer)
    assert not torch.equal(for_d[0], for_g[0])
    assert torch.equal(fake[0], for_d[1]) and torch.equal(judged[0], for_g[1])


@pytest.mark.parametrize("fresh", [False, True])
def test_d_can_be_updated_more_often(tiny_recipe, tiny_faces, fresh):
    trainer = Trainer(tiny_recipe.override(d_steps=3, fresh_latents=fresh), tiny_faces)
    updates = []
    for name in ("optimizer_d", "optimizer_g"):
        getattr(trainer, name).register_step_post_hook(lambda *_, name=name: updates.append(name))
    _, _, made, judged = one_step(trainer)
    assert updates == ["optimizer_d"] * 3 + ["optimizer_g"]
    assert len(made) == 3 + fresh and len(judged) == 7
    latents = {tuple(z.flatten().tolist()) for z, _ in made}
    assert len(latents) == len(made)  # each update has its own


def test_noise_is_on_both_sides_in_both_steps_and_falls(tiny_recipe, tiny_faces):
    recipe = tiny_recipe.override(sigma0=0.4)
    trainer = Trainer(recipe, tiny_faces)
    for step in (0, 1, 2):
        indices, _, (sigma, _) = trainer.inputs(step)
        assert sigma.item() == pytest.approx(noise_sigma(step, 12, 0.4))
        _, _, (made,), (real, fake, judged) = one_step(trainer)
        noises = [
            real[0] - trainer.real_batch(indices),
            fake[0] - made[1],
            judged[0] - made[1],
        ]
        for noise in noises:
            assert noise.std().item() == pytest.approx(sigma.item(), rel=0.06)
        flat = torch.stack([noise.flatten() for noise in noises])
        assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.06


def test_augmentation_is_on_both_sides_in_both_steps(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(augment="cutout"), tiny_faces)
    indices, _, _ = trainer.inputs(0)
    _, _, (made,), (real, fake, judged) = one_step(trainer)
    for seen, original in (
        (real[0], trainer.real_batch(indices)),
        (fake[0], made[1]),
        (judged[0], made[1]),
    ):
        kept = seen == original
        assert 0.5 < kept.float().mean() < 0.95 and (seen[~kept] == 0).all()


def test_nothing_is_disturbed_where_the_recipe_has_no_noise(tiny_recipe, tiny_faces):
    """The fields of one recipe do not leak into another: a sigma of 0 draws nothing."""
    plain, late = Trainer(tiny_recipe, tiny_faces), Trainer(tiny_recipe, tiny_faces)
    torch.manual_seed(1)
    plain.run(until=2)
    torch.manual_seed(2)
    late.run(until=2)
    assert plain.take_metrics() == late.take_metrics()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_game_is_played_with_its_own_losses(tiny_recipe, tiny_faces, name):
    game = OBJECTIVES[name]
    trainer = Trainer(tiny_recipe.override(loss=name), tiny_faces)
    indices, z, _ = trainer.inputs(0)
    generator, discriminator, _, _ = one_step(trainer)
    fake, real = generator(z[0]), trainer.real_batch(indices)
    loss_d = game.discriminator(discriminator(real), discriminator(fake))
    assert trainer.metrics["loss_d"] == pytest.approx(loss_d.item(), abs=1e-6)
    updated = trainer.discriminator  # G is judged by D after its update
    answers = (updated(real), updated(fake)) if game.compares else (updated(fake),)
    assert trainer.metrics["loss_g"] == pytest.approx(game.generator(*answers).item(), abs=1e-5)
    trainer.run()
    assert trainer.step == 12


def test_scores_are_read_as_the_game_means_them(tiny_recipe, tiny_faces):
    for name, boundary in (("least-squares", 0.5), ("hinge", 0.0), ("non-saturating", 0.0)):
        trainer = Trainer(tiny_recipe.override(loss=name), tiny_faces)
        _, _, _, (real, fake, _) = one_step(trainer)
        score = torch.sigmoid if name == "non-saturating" else torch.clone
        assert trainer.metrics["d_real"] == pytest.approx(score(real[1]).mean().item(), abs=1e-6)
        assert trainer.metrics["acc_real"] == (real[1] > boundary).float().mean().item()
        assert trainer.metrics["acc_fake"] == (fake[1].flatten() < boundary).float().mean().item()


def test_smoothing_reaches_the_loss(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(smoothing=0.1), tiny_faces)
    _, _, _, (real, fake, _) = one_step(trainer)
    expected = discriminator_loss(real[1], fake[1], 0.1).item()
    assert trainer.metrics["loss_d"] == pytest.approx(expected, abs=1e-6)


def test_r1_is_added_with_half_its_gamma(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(r1_gamma=8.0), tiny_faces)
    indices, _, _ = trainer.inputs(0)
    _, discriminator, _, (real, fake, _) = one_step(trainer)
    images = trainer.real_batch(indices).requires_grad_()
    penalty = r1_penalty(discriminator(images).flatten(), images).item()
    expected = discriminator_loss(real[1], fake[1]).item() + 4 * penalty
    assert penalty > 1e-6 and trainer.metrics["loss_d"] == pytest.approx(expected, rel=1e-5)


def test_the_gradient_penalty_reaches_the_loss_and_bounds_the_critic(tiny_recipe, tiny_faces):
    recipe = tiny_recipe.override(
        loss="wasserstein", gradient_penalty=10.0, model="mlp", lr_d=1e-2, epochs=10, ndf=16
    )
    slopes = {}
    for weight in (0.0, 10.0):
        trainer = Trainer(recipe.override(gradient_penalty=weight), tiny_faces)
        trainer.run()
        images = trainer.real_batch(trainer.batch_indices(0)).requires_grad_()
        (slope,) = torch.autograd.grad(trainer.discriminator(images).sum(), images)
        slopes[weight] = slope.flatten(1).norm(dim=1).mean().item()
    assert slopes[10.0] < 3 < slopes[0.0]


def test_samples_come_from_the_average(tiny_recipe, tiny_faces):
    recipe = tiny_recipe.override(ema_decay=0.2, lr_g=1e-2)
    trainer = Trainer(recipe, tiny_faces)
    kept = trainer.generator.net[0].weight.detach().clone()
    for decay in (0.1, 2 / 11, 0.2):
        trainer.run(until=trainer.step + 1)
        kept = decay * kept + (1 - decay) * trainer.generator.net[0].weight.detach()
    averaged = trainer.ema.model.net[0].weight
    assert torch.allclose(averaged, kept, atol=1e-7)
    assert not torch.allclose(averaged, trainer.generator.net[0].weight, atol=1e-3)
    sampler = trainer.sampler()
    shown = dict(sampler.named_parameters())
    assert all(torch.equal(shown[n], p) for n, p in trainer.ema.model.named_parameters())
    with_own = copy.deepcopy(trainer.ema.model)
    latents = torch.Generator().manual_seed(0)
    renew_statistics(with_own, [draw_latent(recipe, 64, latents) for _ in range(16)])
    z = draw_latent(recipe, 4)
    assert torch.allclose(sample(sampler, z), sample(with_own, z), atol=1e-5)
    assert not torch.allclose(sample(sampler, z), sample(trainer.ema.model, z), atol=1e-3)


def test_spectral_norm_is_in_the_discriminator_alone(tiny_recipe, tiny_faces):
    trainer = Trainer(tiny_recipe.override(spectral_norm=True), tiny_faces)
    trainer.run()
    assert any("parametrizations" in key for key in trainer.discriminator.state_dict())
    assert not any("parametrizations" in key for key in trainer.generator.state_dict())
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"r1_gamma": 1.0, "precision": "bf16", "spectral_norm": True},
        {"loss": "wasserstein", "gradient_penalty": 10.0, "d_steps": 2},
        {"loss": "relativistic", "augment": "color,translation,cutout", "sigma0": 0.1},
        {"model": "mlp", "dropout": 0.3, "ema_decay": 0.9, "loss": "hinge"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_combinations_resume_exactly(tiny_recipe, tiny_faces, changes):
    recipe = tiny_recipe.override(**changes)
    straight, first, second = (Trainer(recipe, tiny_faces, seed=4) for _ in range(3))
    straight.run()
    first.run(until=5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.run()
    assert_same(second.state_dict(), straight.state_dict())
