"""What is said when a source can't be used."""

from __future__ import annotations

from pathlib import Path

THREE_WAYS = """\
Three ways that work by hand:
  1. In a browser, signed in: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, there Google Drive
     or Baidu, the files Img/img_align_celeba.zip, Anno/list_attr_celeba.txt,
     Anno/identity_CelebA.txt and Eval/list_eval_partition.txt. Into one folder, then
       python -m data_prep celeba FOLDER --out FILE
  2. Kaggle, data set jessicali9530/celeba-dataset: Download gives archive.zip. Then
       python -m data_prep celeba archive.zip --out FILE
  3. Hugging Face, data set flwrlabs/celeba: its .parquet files into one folder. Then
       python -m data_prep celeba FOLDER --out FILE"""


class SourceError(ValueError):
    """A source that can't be used; the message names it and says what was looked for."""


def looks_like_a_web_page(start: bytes) -> bool:
    """Whether a file's first bytes are those of HTML."""
    return start.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<!--"))


def why_no_zip(path: Path) -> str:
    """What a file that should be a zip is instead."""
    with open(path, "rb") as file:
        start = file.read(256)
    if looks_like_a_web_page(start):
        return (
            "not a zip file but a web page: the download met Google Drive's quota or a login.\n"
            + THREE_WAYS
        )
    if start.lower().startswith(b"pk"):
        return "a zip file without its end: the download is not complete; fetch it again"
    if not start:
        return "not a zip file: it is empty; fetch it again"
    return f"not a zip file: it begins {start[:12]!r}"
