"""Images a second from JPEG to array: data_prep beside the usual route, in one interleaved run.

    python benchmarks/data_prep.py --workers 1 2 --rounds 7
    python benchmarks/data_prep.py --pictures img_align_celeba.zip

The usual route is that of the PyTorch tutorials: torchvision on Pillow with CenterCrop, Resize,
ToTensor and Normalize, in as many worker processes. Both get the same files, full-size 178×218
JPEGs: drawn faces, or with --pictures those of a zip, scaled up where they are smaller. Each side
keeps its processes; the sides take turns (A B C A B C ...) on the same part of the files, so that
whatever else the machine does falls on all alike. Reported are medians over the rounds, and the
ratios of the medians. The usual route hands its tensors to nobody, which a DataLoader would add.

Last: how far the values are from Pillow's, and what a batch costs of a training step.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

# This file has the package's name and would be imported in its place.
sys.path[0] = str(Path(__file__).resolve().parents[1])

SIZE = 64
CROP = "centre-178"
PLAIN = "torchvision + Pillow"
VARIANTS = (PLAIN, "data_prep, Pillow", "data_prep, simplejpeg")
STEPS = 5


def write_pictures(folder: Path, count: int, pictures: Path | None) -> None:
    """`count` full-size JPEGs of about 7 kB, CelebA's average."""
    from PIL import Image

    from facegan_ref.data.toyfaces import ToyFaces

    if pictures is None:
        faces = ToyFaces(64, 218, seed=1).images.permute(0, 2, 3, 1).numpy()
        originals = [Image.fromarray(face[:, 20:198]) for face in faces]
    else:
        with zipfile.ZipFile(pictures) as archive:
            names = sorted(n for n in archive.namelist() if n.lower().endswith(".jpg"))[:count]
            originals = [Image.open(io.BytesIO(archive.read(name))) for name in names]
    rng = np.random.default_rng(0)
    total = 0
    for i in range(count):
        image = originals[i % len(originals)].convert("RGB")
        image = image.resize((178, 218), Image.Resampling.LANCZOS)
        # Grain, as a photograph has: without it the files are smaller than CelebA's.
        pixels = np.asarray(image) + rng.normal(0, 2.5, (218, 178, 1))
        path = folder / f"{i + 1:06d}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=78)
        total += path.stat().st_size
    print(f"{count} JPEGs of 178×218, {total / count / 1000:.1f} kB on average")


def start(variant: str) -> None:
    """Make a worker process ready for its variant."""
    import torch

    from data_prep import pixels

    torch.set_num_threads(1)
    if variant.endswith("Pillow"):
        pixels.simplejpeg = None


def usual_route(paths: list[str]) -> int:
    """The tutorials' chain: normalised float tensors."""
    import torch
    from PIL import Image
    from torchvision import transforms

    chain = transforms.Compose(
        [
            transforms.CenterCrop(178),
            transforms.Resize(SIZE),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    tensors = []
    for path in paths:
        with open(path, "rb") as file:
            tensors.append(chain(Image.open(file).convert("RGB")))
    return len(torch.stack(tensors))


def interleaved(folder: Path, out: Path, rounds: int, workers: int) -> dict[str, list[float]]:
    """Images a second of each variant in each round."""
    from data_prep.crops import CROPS
    from data_prep.sources import list_folder, walk
    from data_prep.workers import Job, work

    listing = list_folder(folder, walk(folder), True)
    np.lib.format.open_memmap(
        out, mode="w+", dtype=np.uint8, shape=(len(listing.names), SIZE, SIZE, 3)
    ).flush()
    job = Job(str(out), CROPS[CROP], SIZE)
    spawn = multiprocessing.get_context("spawn")
    pools = {
        variant: ProcessPoolExecutor(workers, spawn, initializer=start, initargs=(variant,))
        for variant in VARIANTS
    }

    def one(variant: str) -> float:
        began = time.perf_counter()
        if variant == PLAIN:
            parts = [[str(folder / path) for path in chunk.paths] for chunk in listing.chunks]
            list(pools[variant].map(usual_route, parts))
        else:
            indices = range(len(listing.chunks))
            list(pools[variant].map(work, [job] * len(indices), indices, listing.chunks))
        return len(listing.names) / (time.perf_counter() - began)

    for variant in VARIANTS:
        one(variant)
    rates = {variant: [] for variant in VARIANTS}
    digests = set()
    for _ in range(rounds):
        for variant in VARIANTS:
            rates[variant].append(one(variant))
            if variant != PLAIN:
                digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    for pool in pools.values():
        pool.shutdown()
    assert len(digests) == 1, "the decoders' results differ"
    return rates


def agreement(folder: Path, array: np.ndarray) -> tuple[float, float]:
    """Mean and largest difference from Pillow's antialiased resize, in grey levels."""
    from PIL import Image

    means, largest = [], 0.0
    for path, mine in zip(sorted(folder.iterdir())[:500], array, strict=False):
        with Image.open(path) as image:
            face = image.crop((0, 20, 178, 198)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        difference = np.abs(np.asarray(face).astype(float) - mine)
        means.append(difference.mean())
        largest = max(largest, difference.max())
    return statistics.mean(means), largest


def loading_share(array_file: Path, recipe_name: str, precision: str) -> tuple[float, float]:
    """Milliseconds of one step, and of its batch alone, medians of interleaved rounds."""
    import torch

    from facegan_ref.data.faces import FaceArray
    from facegan_ref.recipes import get_recipe
    from facegan_ref.training import Trainer

    torch.set_num_threads(1)
    faces = FaceArray.open(array_file)
    recipe = get_recipe(recipe_name).override(batch_size=64, precision=precision, preview_every=0)
    trainer = Trainer(recipe, faces, "cpu")
    trainer.update()
    steps, batches = [], []
    for _ in range(STEPS):
        began = time.perf_counter()
        trainer.update()
        steps.append(time.perf_counter() - began)
        began = time.perf_counter()
        for k in range(10):
            faces.batch(
                torch.randint(len(faces), (64,), generator=torch.Generator().manual_seed(k))
            )
        batches.append((time.perf_counter() - began) / 10)
    return 1e3 * statistics.median(steps), 1e3 * statistics.median(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=Path, help="zip of JPEGs instead of drawn faces")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--recipe", default="laptop-mps", help="whose step is timed; none: no step")
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "pictures", Path(place) / "faces.npy"
        folder.mkdir()
        write_pictures(folder, options.images, options.pictures)
        for workers in options.workers:
            rates = interleaved(folder, out, options.rounds, workers)
            base = statistics.median(rates[PLAIN])
            print(f"\n{workers} worker{'s' if workers > 1 else ''}, {options.rounds} rounds")
            for variant, values in rates.items():
                middle = statistics.median(values)
                spread = f"{min(values):,.0f} to {max(values):,.0f}"
                print(f"  {variant:<24}{middle:8,.0f} images/s ({spread})  {middle / base:.2f}×")
        mean, largest = agreement(folder, np.load(out, mmap_mode="r"))
        print(f"\nfrom Pillow's resize: {mean:.4f} grey levels on average, {largest:.0f} at most")
        from data_prep.prepare import prepare

        began = time.perf_counter()
        prepare(folder, out, CROP, SIZE, workers=max(options.workers))
        rate = options.images / (time.perf_counter() - began)
        own, theirs = (
            resource.getrusage(who).ru_maxrss / 1024
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        print(f"from folder to array file, start to end: {rate:,.0f} images/s")
        print(f"most memory of a process: this one {own:,.0f} MB, a worker {theirs:,.0f} MB")
        if options.recipe != "none":
            step, batch = loading_share(out, options.recipe, options.precision)
            print(
                f"training, {options.recipe}, {options.precision}, batch 64: "
                f"a step {step:,.1f} ms, its images {batch:.2f} ms, {batch / step:.2%}"
            )


if __name__ == "__main__":
    main()
