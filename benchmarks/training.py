"""Images a second in training: the course's trainer beside a plain loop, in one interleaved run.

    python benchmarks/training.py --threads 1 --rounds 7 --steps 5

Each variant lives in a process of its own, because the trainer's memory settings would serve the
plain loop too; the processes take turns (A B C A B C ...), one works while the others wait, so that
whatever else the machine does falls on all alike. Reported are medians over the rounds, their
spread (the middle half of the rounds), and the CPU seconds, which other programs disturb less than
the clock.

Before anything is timed, the plain loop and the trainer make the same updates from the same
weights, images and latents, and their losses are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import statistics
import sys
import time

PLAIN = "plain loop, fp32"
CASES = {
    # The recipes' own algorithm with what the plain loop has: no instance noise, no dropout, one
    # batch of latents for both updates.
    "laptop-mps": {"batch_size": 64, "preview_every": 0},
    "morphing-app": {"sigma0": 0.0},
    "mlp-goodfellow": {"dropout": 0.0, "fresh_latents": False},
}
CPU_VARIANTS = {PLAIN: {}, "ours, fp32": {"precision": "fp32"}, "ours, bf16": {"precision": "bf16"}}
CUDA_VARIANTS = {
    **CPU_VARIANTS,
    "ours, fp32, captured": {"precision": "fp32", "capture": True},
    "ours, bf16, captured": {"precision": "bf16", "capture": True},
}
# Adam's first steps are ±lr for each weight, however small its gradient, so that rounding grows
# from step to step: at the recipe's rates the plain loop in channels-last memory differs from
# itself by 2e-6 of the loss in step 1, 2e-4 in step 2 and 2e-3 in step 3. Losses are compared at a
# tenth of the rates up to step 2, which comes after two updates of D and one of G.
SAME_STEPS = 2
AGREE = 3e-4


def case_recipe(name: str, precision: str = "fp32"):
    from facegan_ref.recipes import get_recipe

    return get_recipe(name).override(**CASES[name], precision=precision)


def make_faces(recipe, images: int):
    import torch

    from facegan_ref.data.faces import FaceArray
    from facegan_ref.data.toyfaces import ToyFaces

    faces = ToyFaces(images, recipe.image_size, seed=0).images
    # In memory as an array file has them.
    return FaceArray(faces.contiguous(memory_format=torch.channels_last))


class PlainLoop:
    """Training as the PyTorch DCGAN tutorial has it: nothing here is done for speed.

    NCHW float32, the generator's batch used for both updates, D's real and fake passes apart,
    BCELoss on a sigmoid, Adam as it comes, numbers for the log fetched with `.item()` each step.
    Images come from a DataLoader with the tutorial's two workers, `ToTensor` and `Normalize`; they
    are in memory already, where the tutorial still reads and decodes JPEG files.
    """

    def __init__(self, recipe, faces, device: str, seed: int = 0, workers: int = 2):
        import torch
        from PIL import Image
        from torch import nn
        from torchvision import transforms

        from facegan_ref.architectures import build_networks

        chain = [transforms.ToTensor()]
        if recipe.output == "tanh":
            chain.append(transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
        transform = transforms.Compose(chain)
        pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in faces.images]
        self.loader = torch.utils.data.DataLoader(
            Pictures(pictures, transform),
            batch_size=recipe.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
        )
        self.batches = iter(())
        self.recipe, self.device = recipe, torch.device(device)
        self.real_label = 1.0 - recipe.smoothing
        torch.manual_seed(seed)
        generator, discriminator = build_networks(recipe)
        self.generator = generator.to(device)
        self.discriminator = nn.Sequential(discriminator, nn.Sigmoid()).to(device)
        self.criterion = nn.BCELoss()
        betas = (recipe.beta1, recipe.beta2)
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), recipe.lr_g, betas)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), recipe.lr_d, betas)

    def update(self, real, z) -> tuple[float, float]:
        """One step: D's update and then G's; the two losses."""
        import torch

        label = torch.full((len(real),), self.real_label, device=self.device)
        self.discriminator.zero_grad()
        output = self.discriminator(real)
        real_loss = self.criterion(output, label)
        real_loss.backward()
        self.d_real = output.mean().item()
        fake = self.generator(z)
        label.fill_(0.0)
        output = self.discriminator(fake.detach())
        fake_loss = self.criterion(output, label)
        fake_loss.backward()
        self.d_fake = output.mean().item()
        loss_d = real_loss + fake_loss
        self.optimizer_d.step()

        self.generator.zero_grad()
        label.fill_(1.0)
        output = self.discriminator(fake)
        loss_g = self.criterion(output, label)
        loss_g.backward()
        self.optimizer_g.step()
        return loss_d.item(), loss_g.item()

    def run(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            real = next(self.batches, None)
            if real is None:
                self.batches = iter(self.loader)
                real = next(self.batches)
            z = torch.randn(self.recipe.batch_size, self.recipe.z_dim, device=self.device)
            self.update(real.to(self.device), z)


class Pictures:
    """PIL images as a torch data set."""

    def __init__(self, pictures: list, transform):
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int):
        return self.transform(self.pictures[index])


class Ours:
    """The course's trainer as `facegan train` runs it."""

    def __init__(self, recipe, faces, device: str, capture: bool = False):
        from facegan_ref.speed import tune_memory
        from facegan_ref.training import Trainer

        tune_memory()
        # More passes than are ever timed, so that the training does not end.
        self.trainer = Trainer(recipe.override(epochs=10**6), faces, device, capture=capture)

    def run(self, steps: int) -> None:
        self.trainer.run(until=self.trainer.step + steps)

    def load(self, steps: int) -> None:
        """Only the part of a step that fetches the real images."""
        for step in range(steps):
            self.trainer.real_batch(self.trainer.batch_indices(step))


def flop_per_image(recipe) -> tuple[float, float]:
    """Floating-point operations an image of a training step: of convolutions, of linear layers.

    Counted are multiplications and additions of the forward passes (G once, D three times), of the
    weights' gradients (G once, D twice) and of the layers' inputs' gradients, without those of G's
    latents and of D's images in its own update.
    """
    import torch
    from torch import nn

    from facegan_ref.architectures import build_networks

    with torch.random.fork_rng(devices=[]):
        networks = build_networks(recipe)
    totals = {nn.Conv2d: 0.0, nn.Linear: 0.0}
    shapes = [(1, recipe.z_dim), (1, 3, recipe.image_size, recipe.image_size)]
    for network, shape, passes in zip(networks, shapes, ((3, 2), (8, 6)), strict=True):
        costs: list[tuple[type, int]] = []

        def count(module, inputs, output, costs=costs):
            if isinstance(module, nn.Linear):
                costs.append((nn.Linear, 2 * module.weight.numel()))
            elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                small = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
                pixels = small.shape[-1] * small.shape[-2]
                costs.append((nn.Conv2d, 2 * module.weight.numel() * pixels))

        hooks = [module.register_forward_hook(count) for module in network.modules()]
        with torch.no_grad():
            network.eval()(torch.zeros(shape))
        for hook in hooks:
            hook.remove()
        for i, (kind, cost) in enumerate(costs):
            totals[kind] += cost * (passes[0] if i else passes[1])
    return totals[nn.Conv2d], totals[nn.Linear]


class Peak:
    """How fast this machine computes what the networks consist of, at its best.

    For a convolutional recipe that is the fastest of D's own layers (forward, channels-last) and a
    3×3 convolution of 256 maps of 32×32; for an MLP a matrix product of 1024³. `best` holds the
    operations a second (of CPU time, where it is the CPU's) of the fastest in this round.
    """

    def __init__(self, recipe, device: str, dtype: str):
        import torch
        from torch import nn

        self.device = device
        place = {"device": device, "dtype": getattr(torch, dtype)}
        if recipe.model == "mlp":
            a, b = torch.randn(2, 1024, 1024, **place)
            self.work = [(2 * 1024**3, lambda: a @ b)]
            return
        self.work = []
        n, side, width = recipe.batch_size, recipe.image_size // 2, recipe.ndf
        layers = [(nn.Conv2d(256, 256, 3, 1, 1, bias=False), 32)]
        while side > 4:
            layers.append((nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), side))
            side, width = side // 2, 2 * width
        for layer, side in layers:
            layer.to(memory_format=torch.channels_last, **place).requires_grad_(False)
            maps = torch.randn(n, layer.in_channels, side, side, **place)
            maps = maps.contiguous(memory_format=torch.channels_last)
            operations = 2 * layer(maps)[:, 0].numel() * layer.weight.numel()
            self.work.append((operations, lambda layer=layer, maps=maps: layer(maps)))

    def run(self, steps: int) -> None:
        self.best = 0.0
        for operations, compute in self.work:
            compute()
            synchronize(self.device)
            clock = cpu_seconds if self.device == "cpu" else time.perf_counter
            start = clock()
            for _ in range(steps):
                compute()
            synchronize(self.device)
            self.best = max(self.best, operations * steps / (clock() - start))


def synchronize(device: str) -> None:
    """Wait until a CUDA device has done what it was given."""
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


def serve(connection, variant: str, case: str, args: argparse.Namespace) -> None:
    """A variant's process: works when told to, and says how long it took."""
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    recipe = case_recipe(case)
    if variant.startswith("peak"):
        loop = Peak(recipe, args.device, variant.split()[1])
    else:
        options = dict(CUDA_VARIANTS[variant])
        recipe = case_recipe(case, options.pop("precision", "fp32"))
        faces = make_faces(recipe, args.images)
        if variant == PLAIN:
            loop = PlainLoop(recipe, faces, args.device, workers=args.workers)
        else:
            loop = Ours(recipe, faces, args.device, **options)
    connection.send("ready")
    while steps := connection.recv():
        start, cpu = time.perf_counter(), cpu_seconds()
        loop.run(steps)
        synchronize(args.device)
        result = {"seconds": time.perf_counter() - start, "cpu": cpu_seconds() - cpu}
        result["peak"] = getattr(loop, "best", 0.0)
        if isinstance(loop, Ours):
            start = time.perf_counter()
            loop.load(steps)
            synchronize(args.device)
            result["loading"] = time.perf_counter() - start
        connection.send(result)


def cpu_seconds() -> float:
    """User and system time of this process, not of a DataLoader's workers."""
    return time.process_time()


def compare_losses(case: str, args: argparse.Namespace) -> float:
    """The largest relative difference of the plain loop's losses and the trainer's in fp32.

    Both start from the same weights and get the same images and latents.
    """
    from facegan_ref.training import Trainer

    recipe = case_recipe(case)
    recipe = recipe.override(lr_g=recipe.lr_g / 10, lr_d=recipe.lr_d / 10)
    faces = make_faces(recipe, recipe.batch_size * SAME_STEPS)
    plain = PlainLoop(recipe, faces, args.device, seed=0, workers=0)
    trainer = Trainer(recipe, faces, args.device, seed=0)
    worst = 0.0
    for step in range(SAME_STEPS):
        indices, latents, _ = trainer.inputs(step)
        expected = plain.update(trainer.real_batch(indices).contiguous(), latents[0])
        trainer.run(until=step + 1)
        row = trainer.take_metrics()[-1]
        for loss, own in zip(expected, (row["loss_d"], row["loss_g"]), strict=True):
            worst = max(worst, abs(own / loss - 1))
    return worst


def measure(case: str, args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """What each variant's process reported in each round."""
    from facegan_ref.speed import WARM_UP

    variants = CPU_VARIANTS if args.device == "cpu" else CUDA_VARIANTS
    context = multiprocessing.get_context("spawn")
    workers = {}
    for name in (*variants, "peak float32", "peak bfloat16"):
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, name, case, args))
        process.start()
        there.close()
        workers[name] = (process, here)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    try:
        for _, connection in workers.values():
            connection.recv()
        warm_up = 2 if args.device == "cpu" else 2 * WARM_UP
        for number in range(-1, args.rounds):
            for name, (_, connection) in workers.items():
                connection.send(warm_up if number < 0 else args.steps)
                result = connection.recv()
                if number >= 0:
                    results[name].append(result)
    finally:
        for process, connection in workers.values():
            if process.is_alive():
                with contextlib.suppress(OSError):
                    connection.send(0)
            process.join()
    return results


def middle(values: list[float]) -> tuple[float, float, float]:
    """The median and the quartiles."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, low, high


def report(case: str, results: dict[str, list[dict[str, float]]], args: argparse.Namespace) -> None:
    recipe = case_recipe(case)
    convolutions, products = flop_per_image(recipe)
    kind, operations = ("conv", convolutions) if convolutions else ("GEMM", products)
    images = args.steps * recipe.batch_size
    peaks = {
        precision: statistics.median(row["peak"] for row in results[f"peak {dtype}"])
        for precision, dtype in (("fp32", "float32"), ("bf16", "bfloat16"))
    }
    print(
        f"\n{case}: {recipe.model}, {recipe.image_size} pixels, ngf {recipe.ngf}, ndf {recipe.ndf},"
        f" batch {recipe.batch_size}, {operations / 1e9:.3g} GFLOP of {kind} an image; peak"
        f" {peaks['fp32'] / 1e9:,.0f} (fp32) and {peaks['bf16'] / 1e9:,.0f} (bf16) GFLOP/s"
        f"{' a core' if args.device == 'cpu' else ''}"
    )
    print(
        f"{'':22} {'images/s':>9} {'quartiles':>17} {'ratio':>6} {'CPU s/1000':>10} {'ratio':>6}"
        f" {'of peak':>8} {'loading':>8}"
    )
    plain = results[PLAIN]
    for name, rows in results.items():
        if name.startswith("peak"):
            continue
        rate, low, high = middle([images / row["seconds"] for row in rows])
        # Rounds next to each other see the same machine: the ratio is taken within each of them.
        pairs = list(zip(plain, rows, strict=True))
        ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in pairs)
        cpu_ratio = statistics.median(a["cpu"] / b["cpu"] for a, b in pairs)
        cpu = statistics.median(row["cpu"] for row in rows) / images * 1000
        # On a CPU by CPU time, which other programs leave alone; operations a core then.
        clock = "cpu" if args.device == "cpu" else "seconds"
        peak = results["peak bfloat16" if "bf16" in name else "peak float32"]
        share = statistics.median(
            operations * images / row[clock] / best["peak"]
            for row, best in zip(rows, peak, strict=True)
        )
        loading = ""
        if "loading" in rows[0]:
            loading = f"{statistics.median(r['loading'] / r['seconds'] for r in rows):.1%}"
        print(
            f"{name:22} {rate:9,.1f} {low:8,.1f}-{high:8,.1f} {ratio:6.2f} {cpu:10.1f}"
            f" {cpu_ratio:6.2f} {share:8.0%} {loading:>8}"
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=f"any of {', '.join(CASES)}; default: all")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1, help="of each process; default: 1")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each variant; default: 7")
    parser.add_argument("--steps", type=int, default=5, help="training steps a turn; default: 5")
    parser.add_argument("--workers", type=int, default=2, help="of the plain loop's DataLoader")
    parser.add_argument("--images", type=int, default=512, help="toy faces to train on")
    args = parser.parse_args()
    for case in args.cases:
        if case not in CASES:
            parser.error(f"no case {case!r}; there are {', '.join(CASES)}")
    for name in ("threads", "rounds", "steps"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} is {getattr(args, name)}, expected 1 or more")
    return args


def main() -> None:
    args = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    print(
        f"torch {torch.__version__}, {args.device}, {args.threads} thread(s) a process, "
        f"{args.rounds} rounds of {args.steps} steps, load {os.getloadavg()[0]:.1f}"
    )
    for case in args.cases or CASES:
        worst = compare_losses(case, args)
        print(f"\n{case}: losses of plain loop and trainer differ by {worst:.1e} at most", end="")
        print(f" in {SAME_STEPS} steps, same weights, images and latents")
        if worst > AGREE:
            sys.exit(f"that is more than {AGREE}: they do not do the same work")
        report(case, measure(case, args), args)


if __name__ == "__main__":
    main()
