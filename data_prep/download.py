"""Fetch CelebA's official files by torchvision's downloader."""

from __future__ import annotations

from pathlib import Path

from data_prep.errors import THREE_WAYS, SourceError, looks_like_a_web_page

PICTURES = "img_align_celeba.zip"
TEXTS = ("list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.txt")


def download(folder: Path, mirror: str | None = None) -> Path:
    """Fetch the zip of aligned pictures (1.4 GB) and the text files that data_prep reads.

    What is there already and has the right checksum is not fetched again.

    Args:
        folder: where to put them.
        mirror: address of a folder that has them by their names, such as a course's own server;
            None for Google Drive, where CelebA's authors put them.

    Returns:
        The folder.

    Raises:
        SourceError: a file could not be had; says why, and three ways by hand.
    """
    from torchvision.datasets import CelebA
    from torchvision.datasets.utils import download_file_from_google_drive, download_url

    wanted = {name: (drive_id, md5) for drive_id, md5, name in CelebA.file_list}
    for name in (PICTURES, *TEXTS):
        drive_id, md5 = wanted[name]
        try:
            if mirror is None:
                download_file_from_google_drive(drive_id, str(folder), name, md5)
            else:
                download_url(f"{mirror.rstrip('/')}/{name}", str(folder), name, md5)
        except Exception as error:  # the downloader and what it builds on raise many kinds
            reason = _reason(folder / name, error)
            raise SourceError(f"{name} could not be downloaded: {reason}\n{THREE_WAYS}") from error
    return folder


def _reason(path: Path, error: Exception) -> str:
    """Why a download failed; a web page that was saved under the file's name is removed."""
    if isinstance(error, OSError) and not path.is_file():
        return _one_line(error)
    if path.is_file():
        with open(path, "rb") as file:
            start = file.read(256)
        if looks_like_a_web_page(start):
            path.unlink()
            return (
                "what came is a web page: Google Drive's quota for it is used up, or wants a login"
            )
    if "gdown" in str(error):
        return "torchvision needs gdown for Google Drive: pip install 'facegan-course[data]'"
    return _one_line(error)


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
