"""A run's metrics for TensorBoard, where the user asks for it: extra `[tensorboard]`."""

from __future__ import annotations

from pathlib import Path

GROUPS = {
    "loss_d": "loss/D",
    "loss_g": "loss/G",
    "d_real": "mean score/real",
    "d_fake": "mean score/generated",
    "acc_real": "accuracy/real",
    "acc_fake": "accuracy/generated",
}


class Board:
    """Event files in a run's folder `tensorboard/`; steps from `step` on are written anew.

    Does nothing when not `wanted`.

    Raises:
        ValueError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int, wanted: bool = True):
        self._writer = None
        if wanted:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise ValueError(
                    f"TensorBoard's files can't be written: {error}. Install it by `pip install "
                    "tensorboard`, or leave --tensorboard away; metrics.jsonl has the same numbers"
                ) from error
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, rows: list[dict]) -> None:
        """Write the metrics of some steps."""
        if self._writer is not None:
            for row in rows:
                for name, group in GROUPS.items():
                    self._writer.add_scalar(group, row[name], row["step"])
