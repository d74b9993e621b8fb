"""Training in several processes, each with a part of every batch, started by `torchrun`.

All processes draw the same batch from (seed, step) and take their rows of it; gradients are
averaged before each optimizer's step, and batch normalisation counts the whole batch. What a
process computes is therefore what one process alone would, but for rounding. Only the draws of
dropout and of the gradient penalty differ.

Gradients are averaged in one message an optimizer by a hook on its step: the two steps of a GAN
call D twice before one backward pass and change which of its weights have gradients, which
`DistributedDataParallel` is not made for.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world_size() -> int:
    """How many processes train together; 1 without `torchrun`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def join_torchrun(device: torch.device) -> torch.device:
    """Join the processes that `torchrun` started, if it did; this process's own device.

    NCCL carries messages between CUDA devices, Gloo between CPU processes.

    Raises:
        ValueError: there are more processes on this machine than CUDA devices.
    """
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        return device
    if device.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", 0))
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"process {local} of this machine has no CUDA device of its own, there are "
                f"{torch.cuda.device_count()}: start torchrun with as many --nproc-per-node"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def leave() -> None:
    """End the common work, if there was any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def wait_for_all() -> None:
    """Go on when all processes have come here."""
    if world_size() > 1:
        dist.barrier()


def own_part(batch: Tensor) -> Tensor:
    """This process's rows of a batch that all processes hold alike."""
    return batch.chunk(world_size())[rank()] if world_size() > 1 else batch


def mean_over_processes(values: Tensor) -> Tensor:
    """The elementwise mean of every process's `values`."""
    if world_size() > 1:
        values = values.clone()
        dist.all_reduce(values)
        values /= world_size()
    return values


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether `flag` is set in any process: all of them get the same answer."""
    if world_size() == 1:
        return flag
    flags = torch.tensor(int(flag), device=device)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags)


def average_gradients(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Replace the gradients by their mean over all processes; a hook before `optimizer.step`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = [p.grad for p in parameters if p.grad is not None]
    message = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(message)
    message /= world_size()
    parts = message.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def share_work(
    networks: tuple[nn.Module, nn.Module],
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
) -> None:
    """Make networks and optimizers of this process work on their part of a common batch."""
    if world_size() == 1:
        return
    for network in networks:
        for parent in list(network.modules()):
            for name, child in parent.named_children():
                if type(child) is nn.BatchNorm2d:
                    setattr(parent, name, WholeBatchNorm2d.of(child))
    for optimizer in optimizers:
        optimizer.register_step_pre_hook(average_gradients)


def on_whole_batch(function: Callable[[Tensor], Tensor], part: Tensor) -> Tensor:
    """Apply a random function to the whole batch and return this process's part of the result.

    With one random state in all processes each gets the rows that one process alone would get.
    Gradients flow through the own rows.
    """
    if world_size() == 1:
        return function(part)
    parts = [torch.empty_like(part) for _ in range(world_size())]
    dist.all_gather(parts, part.detach().contiguous())
    parts[rank()] = part
    return own_part(function(torch.cat(parts)))


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx, values: Tensor) -> Tensor:
        if world_size() == 1:
            return values
        values = values.clone()
        dist.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)  # so that penalties on gradients can be differentiated too


class WholeBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes, on any device.

    `torch.nn.SyncBatchNorm` does the same on GPUs only.
    """

    @classmethod
    def of(cls, module: nn.BatchNorm2d) -> WholeBatchNorm2d:
        """The same layer, with the very same parameters and buffers."""
        new = cls(module.num_features, module.eps, module.momentum)
        new.weight, new.bias = module.weight, module.bias
        new.running_mean, new.running_var = module.running_mean, module.running_var
        new.num_batches_tracked = module.num_batches_tracked
        return new.train(module.training)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        count = world_size() * x.numel() // x.shape[1]
        mean = _Sum.apply(wide.sum(dim=(0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        var = _Sum.apply(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (count / (count - 1)), self.momentum)
        scale = self.weight * (var + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)
