"""`download`: torchvision's downloader itself, on servers of this machine; how it fails."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torchvision
from celeba_like import NAMES, write_zip
from click.testing import CliRunner

from data_prep.__main__ import main
from data_prep.download import download
from data_prep.errors import SourceError
from facegan_ref.data.faces import FaceArray

QUOTA_PAGE = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Too many "
    b"users have viewed or downloaded this file recently.</body></html>"
)
WAYS = ("mmlab.ie.cuhk.edu.hk", "Kaggle", "flwrlabs/celeba", "--out FILE")


@pytest.fixture
def server(monkeypatch):
    """A server on this machine that answers with `files`; it notes what it was asked for."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[1]
            asked.append(name)
            content = files.get(name)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    files, asked = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/celeba", files, asked
        running.shutdown()


def test_a_quota_page_in_place_of_the_zip_is_recognised(tmp_path, server):
    address, files, _ = server
    files["img_align_celeba.zip"] = QUOTA_PAGE
    with pytest.raises(SourceError, match=r"img_align_celeba\.zip.*a web page.*quota") as caught:
        download(tmp_path / "celeba", address)
    assert all(way in str(caught.value) for way in WAYS)
    assert not list((tmp_path / "celeba").iterdir())  # nothing that a later call could take


def test_a_damaged_download_is_named(tmp_path, server):
    address, files, _ = server
    files["img_align_celeba.zip"] = b"PK\x03\x04 something else"
    with pytest.raises(SourceError, match=r"img_align_celeba\.zip could not be downloaded: .*corr"):
        download(tmp_path / "celeba", address)


def test_a_server_without_the_file_is_named(tmp_path, server):
    with pytest.raises(SourceError, match=r"img_align_celeba\.zip could not .*404") as caught:
        download(tmp_path / "celeba", server[0] + "/")
    assert all(way in str(caught.value) for way in WAYS)


def test_without_a_network_the_message_names_three_ways(tmp_path, monkeypatch):
    """Google Drive by way of a proxy that is not there: nothing leaves this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    arguments = ["celeba", "download", "--out", str(tmp_path / "a.npy")]
    result = CliRunner().invoke(main, arguments)
    assert isinstance(result.exception, SourceError)
    said = str(result.exception)
    assert said.startswith("img_align_celeba.zip could not be downloaded: ")
    assert all(way in said for way in WAYS)
    assert not (tmp_path / "a.npy").exists()


@pytest.fixture
def celeba(half, tmp_path, monkeypatch):
    """The files of a small CelebA, whose checksums torchvision takes for the right ones."""
    contents = {f"img_align_celeba/{n}": data for n, data in zip(NAMES, half, strict=True)}
    files = {
        "img_align_celeba.zip": write_zip(tmp_path / "made.zip", contents).read_bytes(),
        "list_attr_celeba.txt": b"6\nSmiling\n" + b"".join(b"%s 1\n" % n.encode() for n in NAMES),
        "identity_CelebA.txt": b"".join(b"%s 3\n" % n.encode() for n in NAMES),
        "list_eval_partition.txt": b"".join(b"%s 2\n" % n.encode() for n in NAMES),
    }
    known = torchvision.datasets.CelebA.file_list
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(
        torchvision.datasets.CelebA,
        "file_list",
        [(drive, sums.get(name, md5), name) for drive, md5, name in known],
    )
    return files


def test_from_a_mirror_to_an_array(tmp_path, server, celeba):
    address, files, asked = server
    files.update(celeba)
    out = tmp_path / "data" / "a.npy"
    arguments = ["celeba", "download", "--mirror", address, "--out", str(out), "--size", "16"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    faces = FaceArray.open(out)
    assert faces.manifest["names"] == NAMES and faces.attributes.names == ("Smiling",)
    assert faces.identities.tolist() == [3] * 6 and faces.split.tolist() == [2] * 6
    assert sorted(p.name for p in (out.parent / "celeba").iterdir()) == sorted(celeba)
    asked.clear()  # what is there is not fetched again
    assert CliRunner().invoke(main, arguments).exit_code == 0 and not asked


def test_a_list_that_could_not_be_had_can_be_had_later(tmp_path, server, celeba):
    address, files, asked = server
    files.update({**celeba, "identity_CelebA.txt": QUOTA_PAGE})
    with pytest.raises(SourceError, match=r"identity_CelebA\.txt could not .*web page"):
        download(tmp_path / "celeba", address)
    files.update(celeba)
    asked.clear()
    download(tmp_path / "celeba", address)
    assert set(asked) == {"identity_CelebA.txt", "list_eval_partition.txt"}


def test_torchvision_knows_the_files():
    """The names that are fetched are among those whose addresses torchvision keeps."""
    from data_prep.download import PICTURES, TEXTS

    assert {PICTURES, *TEXTS} <= {name for _, _, name in torchvision.datasets.CelebA.file_list}
