"""The real page in a real browser: each button, the slider, files, two visitors, bad input."""

from __future__ import annotations

import base64
import io
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

from facegan_ref import cli
from facegan_ref.app.checkpoints import SHIPPED_NAME
from facegan_ref.export import SHIPPED
from facegan_ref.latents import faces_of, interpolation, latents_of_seeds, move
from facegan_ref.morph import morph
from facegan_ref.pictures import captioned_grid, image_grid
from facegan_ref.run import load_generator

MAIN = SHIPPED_NAME if SHIPPED.is_file() else "normal"
LONG = 30_000  # milliseconds: a busy machine is no failure
READ_SOURCES = "images => images.map(image => image.src)"
WITHOUT_ALT = "all => all.filter(image => !image.alt).map(image => image.outerHTML.slice(0, 99))"


# ---- what the page shows, and what the package computes


def pixels(source: str | bytes) -> np.ndarray:
    data = base64.b64decode(source.split(",", 1)[1]) if isinstance(source, str) else source
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def shown(page, selector: str) -> np.ndarray:
    return pixels(page.locator(f"{selector} img").first.get_attribute("src"))


def computed(image: torch.Tensor) -> np.ndarray:
    return image_grid(image[None], 1)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal within the rounding of one grey level; sums differ between machines and batches."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


def faces(run, *seeds: int) -> torch.Tensor:
    generator, recipe = load_generator(run)
    return faces_of(generator, latents_of_seeds(recipe, seeds))


def way(run, seed1: int, seed2: int, steps: int) -> torch.Tensor:
    generator, recipe = load_generator(run)
    z0, z1 = latents_of_seeds(recipe, [seed1, seed2])
    return morph(generator, z0, z1, steps, interpolation(recipe))


# ---- what a visitor does


class Visitor:
    """One browser context on the page, and what it asked other servers for."""

    def __init__(self, browser, address: str, generator: str = MAIN, **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(LONG)
        self.elsewhere: list[str] = []
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(address)
        self.page.wait_for_selector("#stage .fg-stage img")
        self.choose(generator)

    def _note(self, request) -> None:
        self.asked.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in (
            "localhost",
            "127.0.0.1",
        ):
            self.elsewhere.append(request.url)

    def _hear(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def choose(self, name: str) -> None:
        self.page.locator("#generator input").click()
        self.page.get_by_role("option", name=name, exact=True).click()

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def type(self, field: str, value: object) -> None:
        self.page.locator(f"#{field} input").fill(str(value))

    def wait_for_morph(self, seed1: int, seed2: int) -> None:
        pair = f'#stage [data-from="{seed1}"][data-to="{seed2}"]'
        self.page.wait_for_selector(pair, state="attached")

    def save(self, button: str) -> tuple[str, bytes]:
        with self.page.expect_download(timeout=LONG) as waiting:
            self.page.locator(button).click()
        download = waiting.value
        return download.suggested_filename, Path(download.path()).read_bytes()

    def alert(self, place: str) -> str:
        return self.page.locator(f"{place} [role=alert]").inner_text()

    def close(self) -> None:
        self.context.close()


@pytest.fixture(scope="module")
def visitor(browser, server):
    visitor = Visitor(browser, server, viewport={"width": 1366, "height": 768})
    yield visitor
    assert visitor.elsewhere == [], "the page asked another server"
    assert visitor.complaints == []
    visitor.close()


@pytest.fixture
def page(visitor):
    visitor.tab("Morph")
    return visitor.page


def test_faces_are_those_of_their_seeds(visitor, page, best_run):
    visitor.type("seed1", 3)
    visitor.type("seed2", 4_294_967_295)
    visitor.wait_for_morph(3, 4_294_967_295)
    one, other = faces(best_run, 3, 4_294_967_295)
    assert same(shown(page, "#face1"), computed(one))
    assert same(shown(page, "#face2"), computed(other))
    assert "3" in page.locator("#face1 figcaption").inner_text()
    assert page.locator("#face1 img").get_attribute("alt") == "Face 1: generated face of seed 3"
    name, data = visitor.save("#face1 a")
    assert name == "face-3.png"
    large = pixels(data)
    assert same(large[::4, ::4], computed(one)) and same(large[3::4, 3::4], computed(one))


def set_slider(page, value: float) -> None:
    """Move the slider as a hand does, and wait until the picture has changed."""
    page.evaluate(
        """async (value) => {
            const slider = document.querySelector('#place input[type="range"]');
            const image = document.querySelector('#stage img'), before = image.src;
            const start = performance.now();
            slider.value = value;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
            while (image.src === before) {
                if (performance.now() - start > 20000) throw new Error('nothing moved');
                await new Promise(done => setTimeout(done, 1));
            }
            await image.decode();
        }""",
        value,
    )


def test_the_slider_picks_faces_and_asks_nobody(visitor, page, best_run):
    visitor.type("seed1", 5)
    visitor.type("seed2", 9)
    visitor.wait_for_morph(5, 9)
    frames = way(best_run, 5, 9, 41)
    before = len([url for url in visitor.asked if not url.startswith("data:")])
    for percent, frame in ((0, 0), (25, 10), (77.5, 31), (100, 40), (50, 20)):
        set_slider(page, percent)
        assert same(shown(page, "#stage"), computed(frames[frame])), percent
        assert f"{percent:g} % of the way" in page.locator("#stage img").get_attribute("alt")
    assert len([url for url in visitor.asked if not url.startswith("data:")]) == before
    slider = page.locator("#place input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('#stage img[alt*="52.5 %"]')
    assert same(shown(page, "#stage"), computed(frames[21]))
    # A pair that comes later is shown where the slider stands.
    visitor.type("seed2", 11)
    visitor.wait_for_morph(5, 11)
    page.wait_for_selector('#stage img[alt*="52.5 %"]')
    assert same(shown(page, "#stage"), computed(way(best_run, 5, 11, 41)[21]))


def test_contrast_is_the_generators_own(page, best_run):
    sources = page.eval_on_selector("#stage .fg-stage", "stage => JSON.parse(stage.dataset.frames)")
    frames = way(best_run, 5, 11, 41)
    assert len(sources) == 41
    means = [pixels(source).mean() for source in sources]
    wanted = [computed(frame).mean() for frame in frames]
    assert np.allclose(means, wanted, atol=0.5)  # no frame is stretched to its own range


def test_play_moves_the_slider_until_it_is_stopped(visitor, page):
    set_slider(page, 90)
    page.locator("#play").click()
    page.wait_for_function("() => document.querySelector('#stage img').alt.includes(' 100 %')")
    page.wait_for_function("() => document.querySelector('#stage img').alt.includes(' 80 %')")
    assert page.locator("#play").inner_text() == "Stop"
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "Play"
    alt = page.locator("#stage img").get_attribute("alt")
    page.wait_for_timeout(200)
    assert page.locator("#stage img").get_attribute("alt") == alt


def test_another_face_is_another_one_and_names_its_seed(visitor, page, best_run):
    for number in (1, 2):
        before = page.locator(f"#face{number} b").inner_text()
        page.locator(f"#another{number}").click()
        page.wait_for_function(
            f"() => document.querySelector('#face{number} b').innerText !== '{before}'"
        )
        seed = int(page.locator(f"#face{number} b").inner_text())
        assert page.locator(f"#seed{number} input").input_value() == str(seed)
        assert same(shown(page, f"#face{number}"), computed(faces(best_run, seed)[0]))


def test_downloads_are_what_the_package_makes(visitor, page, best_run, tmp_path, monkeypatch):
    visitor.type("seed1", 28)
    visitor.type("seed2", 74)
    visitor.wait_for_morph(28, 74)
    set_slider(page, 30)
    name, data = visitor.save("#save-still")
    assert name == "morph-28-74-at-30.png"
    assert same(pixels(data)[1::4, 2::4], computed(way(best_run, 28, 74, 41)[12]))

    assert visitor.save("#save-still") == (name, data)  # the same once more

    name, data = visitor.save("#save-film")
    assert name == "morph-28-74.gif"
    pair = (best_run, "--from", 28, "--to", 74)
    run_command(monkeypatch, "morph", *pair, "--out", tmp_path / "m.gif")
    with Image.open(io.BytesIO(data)) as ours, Image.open(tmp_path / "m.gif") as theirs:
        assert ours.n_frames == theirs.n_frames > 20 and ours.info["loop"] == 0
        for frame in (0, 9, ours.n_frames - 1):
            ours.seek(frame)
            theirs.seek(frame)
            difference = np.abs(np.array(ours.convert("RGB"), int) - theirs.convert("RGB"))
            assert difference.mean() < 1

    name, data = visitor.save("#save-strip")
    assert name == "morph-28-74.png"
    run_command(monkeypatch, "morph", *pair, "--frames", 12, "--out", tmp_path / "m.png")
    assert same(pixels(data), pixels((tmp_path / "m.png").read_bytes()))
    assert "morph-28-74.png" in page.locator("#morph-link").inner_text()


def run_command(monkeypatch, *arguments: object) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.argv", ["facegan", *map(str, arguments)])
        cli.main()


def test_a_hundred_faces_and_a_click_takes_one(visitor, page, best_run):
    visitor.tab("100 faces")
    visitor.type("first", 200)
    page.locator("#show-hundred").click()
    page.wait_for_selector('.fg-tile[data-seed="299"]')
    tiles = page.locator(".fg-tile img")
    assert tiles.count() == 100
    sources = tiles.evaluate_all(READ_SOURCES)
    wanted = faces(best_run, *range(200, 300))
    assert all(
        same(pixels(source), computed(face)) for source, face in zip(sources, wanted, strict=True)
    )
    name, data = visitor.save("#save-sheet")
    assert name == "faces-200-299.png"
    sheet = captioned_grid(wanted, 10, 2, [str(seed) for seed in range(200, 300)])
    assert same(pixels(data), sheet)

    page.locator('.fg-tile[data-seed="204"]').click()
    assert "Face 1 of the morph now has the seed 204" in page.locator("#taken").inner_text()
    page.get_by_role("radio", name="Face 2").check()
    page.locator('.fg-tile[data-seed="217"]').focus()
    page.keyboard.press("Enter")
    assert page.locator('.fg-tile[aria-pressed="true"]').get_attribute("data-seed") == "217"
    visitor.wait_for_morph(204, 217)
    visitor.tab("Morph")
    assert same(shown(page, "#face2"), computed(wanted[17]))

    visitor.tab("100 faces")
    page.locator("#another-hundred").click()
    page.wait_for_selector('.fg-tile[data-seed="204"]', state="detached")
    seeds = [
        int(s) for s in page.locator(".fg-tile").evaluate_all("all => all.map(t => t.dataset.seed)")
    ]
    assert seeds == list(range(seeds[0], seeds[0] + 100))
    assert page.locator("#first input").input_value() == str(seeds[0])


def test_attribute_sliders_move_the_face(visitor, page, runs):
    visitor.choose("normal")
    visitor.tab("Attributes")
    # The generator that was shown before may have sliders of its own.
    page.wait_for_function(
        "() => document.querySelector('#attribute1').innerText.includes('Wavy hair +30')"
    )
    assert page.locator("#attribute1").inner_text().startswith("Smiling")
    assert page.locator("#attribute2").is_visible()
    page.locator("#attribute3").wait_for(state="hidden")  # "Attractive" is no slider
    visitor.type("changed-seed", 6)
    page.wait_for_selector('#changed img[alt="Changed: generated face of seed 6"]')
    generator, recipe = load_generator(runs / "normal")
    z = latents_of_seeds(recipe, [6])
    before = computed(faces_of(generator, z)[0])
    both = page.locator("#changed img")
    page.wait_for_function("() => document.querySelectorAll('#changed img').length === 2")
    assert same(pixels(both.nth(0).get_attribute("src")), before)

    def move_to(number: int, value: float) -> None:
        page.evaluate(
            """async ([number, value]) => {
                const slider = document.querySelector(`#attribute${number} input[type="range"]`);
                const source = () => document.querySelectorAll('#changed img')[1].src;
                const before = source(), start = performance.now();
                slider.value = value;
                slider.dispatchEvent(new Event('input', {bubbles: true}));
                while (source() === before) {
                    if (performance.now() - start > 20000) throw new Error('nothing moved');
                    await new Promise(done => setTimeout(done, 2));
                }
            }""",
            [number, value],
        )

    move_to(1, 2.0)
    move_to(2, -1.5)
    direction = torch.zeros(8)
    direction[0] = 1
    moved = move(recipe, z, direction, torch.tensor([2.0]))
    direction = torch.zeros(8)
    direction[2] = 1
    moved = move(recipe, moved, direction, torch.tensor([-1.5]))
    after = computed(faces_of(generator, moved)[0])
    assert same(pixels(both.nth(1).get_attribute("src")), after) and not same(before, after)
    page.locator("#back").click()
    page.wait_for_function(
        "() => { const [a, b] = document.querySelectorAll('#changed img'); return a.src === b.src }"
    )
    page.locator("#another-changed").click()
    page.wait_for_selector(
        '#changed img[alt="Changed: generated face of seed 6"]', state="detached"
    )


def test_bad_seeds_give_a_message_and_the_faces_stay(visitor, page, runs):
    visitor.choose("normal")
    visitor.type("seed1", 1)
    visitor.type("seed2", 2)
    visitor.wait_for_morph(1, 2)
    for typed, says in (
        ("-5", "Face 1's seed is -5: type a whole number from 0 to 4294967295."),
        ("4294967296", "Face 1's seed is 4294967296: type"),
        ("1.5", "Face 1's seed is 1.5: type"),
        ("1e300", "Face 1's seed is"),
        ("", "Face 1's seed is empty: type"),
    ):
        visitor.type("seed1", typed)
        page.locator("#morph-message [role=alert]", has_text=says).wait_for()
        assert same(shown(page, "#face1"), computed(faces(runs / "normal", 1)[0]))
    page.locator("#seed1 input").press_sequentially("abc")  # a browser takes no letters here
    assert page.locator("#seed1 input").input_value() == ""
    visitor.type("seed1", 8)
    visitor.wait_for_morph(8, 2)
    page.locator("#morph-message [role=alert]").wait_for(state="detached")

    visitor.tab("100 faces")
    visitor.type("first", 4294967290)
    page.locator("#show-hundred").click()
    assert "begin at 4294967196 or before" in visitor.alert("#sheet-message")


@pytest.mark.parametrize(
    ("name", "says"),
    [("runs/noise.pt", "truncated"), ("not-numbers", "no numbers")],
)
def test_bad_checkpoints_give_a_message_and_the_server_goes_on(visitor, page, runs, name, says):
    name = name.replace("runs", runs.name)
    visitor.choose(name)
    warning = page.locator("#warning [role=alert]", has_text=f"“{name}” can't be shown")
    text = warning.inner_text()
    assert says in text and str(runs) not in text
    page.locator("#face1", has_text="No face").wait_for()
    page.locator("#save-film").click()
    page.locator("#morph-message [role=alert]", has_text=name).wait_for()
    page.screenshot(path=picture("bad-checkpoint"), full_page=True)
    visitor.choose("uniform")
    page.wait_for_selector("#stage .fg-stage img")
    page.locator("#warning [role=alert]").wait_for(state="detached")
    seeds = [int(page.locator(f"#face{number} b").inner_text()) for number in (1, 2)]
    page.wait_for_selector("#about >> text=cube")
    assert same(shown(page, "#face2"), computed(faces(runs / "uniform", seeds[1])[0]))


def test_a_generator_without_directions_says_so(visitor, page):
    visitor.choose("exported")
    visitor.tab("Attributes")
    page.locator("#why-none", has_text="No directions were found").wait_for()
    page.locator("#attribute1").wait_for(state="hidden")
    visitor.choose(MAIN)
    visitor.tab("Morph")


def test_two_visitors_never_see_each_others_faces(visitor, page, browser, server, runs):
    ada, bo = visitor, Visitor(browser, server, generator="normal")
    ada.choose("normal")
    rounds = [((10, 11), (20, 21)), ((12, 13), (22, 23))]
    for seeds in rounds:
        for visitor, (seed1, seed2) in zip((ada, bo), seeds, strict=True):
            visitor.type("seed1", seed1)
            visitor.type("seed2", seed2)
        for visitor, (seed1, seed2) in zip((ada, bo), seeds, strict=True):
            visitor.wait_for_morph(seed1, seed2)
            wanted = faces(runs / "normal", seed1, seed2)
            assert same(shown(visitor.page, "#face1"), computed(wanted[0]))
            assert same(shown(visitor.page, "#face2"), computed(wanted[1]))
    # The slowest thing at once: the film.
    for visitor in (ada, bo):
        visitor.page.locator("#save-film").click()
    for visitor, (seed1, seed2) in zip((ada, bo), rounds[-1], strict=True):
        visitor.page.locator("#morph-link", has_text=f"morph-{seed1}-{seed2}.gif").wait_for()
    assert bo.elsewhere == [] and bo.complaints == []
    bo.close()


# ---- what only the owner may reach


@pytest.mark.parametrize("path", ["/etc/passwd", "{runs}/normal/last.pt", "../../etc/passwd"])
def test_no_file_of_the_server_can_be_had(server, runs, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server}gradio_api/file={path.format(runs=runs)}", timeout=10)
    assert refused.value.code in (403, 404)


def test_nothing_can_be_uploaded(server):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhi\r\n--x--'
    )
    request = urllib.request.Request(
        f"{server}gradio_api/upload",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403


def test_a_shared_page_loads_nothing_from_elsewhere(server, server_log):
    assert "public for a week at https://shared.example" in server_log.read_text(encoding="utf-8")
    with urllib.request.urlopen(server, timeout=20) as answer:
        policy = answer.headers["Content-Security-Policy"]
        html = answer.read().decode()
    assert policy.startswith("default-src 'self'") and "http" not in policy
    loaded = re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]*)"', html)
    assert loaded and not [address for address in loaded if "//" in address]


def test_the_space_is_the_page_with_the_packages_own_generator(server, server_log):
    offers = [SHIPPED_NAME] if SHIPPED.is_file() else []
    assert f"space: {offers}" in server_log.read_text(encoding="utf-8")


# ---- how it looks and who can use it


def picture(name: str) -> str | None:
    """Where a screenshot goes: the folder FACEGAN_SCREENSHOTS, or nowhere."""
    folder = os.environ.get("FACEGAN_SCREENSHOTS")
    return str(Path(folder) / f"{name}.png") if folder else None


NAMELESS = """() => [...document.querySelectorAll('input, button, select, textarea, a[href]')]
    .filter(element => element.offsetParent && !element.closest('[aria-hidden=true]'))
    .filter(element => !(element.labels?.length || element.getAttribute('aria-label')
        || element.textContent.trim() || element.querySelector('img[alt]')))
    .map(element => element.outerHTML.slice(0, 200))"""

LOW_CONTRAST = """(selectors) => {
    const parse = text => (text.match(/[0-9.]+/g) || []).map(Number);
    const light = ([r, g, b]) => {
        const part = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = parse(getComputedStyle(element).backgroundColor);
            if (colour.length === 3 || colour[3] > 0.9) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const selector of selectors) for (const element of document.querySelectorAll(selector)) {
        if (!element.offsetParent) continue;
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push([selector, element.textContent.slice(0, 30), ratio]);
    }
    return found;
}"""
TEXTS = ["h1", "p", "label", "label span", "button", "figcaption", "figcaption a", "footer p"]
TEXTS += ["input[type=number]", "input[role=combobox]", "[role=tab]", ".fg-tile span"]
TEXTS += ["[data-testid=block-info]", ".min_value", ".max_value"]


def test_everyone_can_use_it_on_a_phone_too(browser, server):
    visitor = Visitor(browser, server, viewport={"width": 390, "height": 844})
    page = visitor.page
    # Somebody who comes later finds the page as it is for all, and nobody's seeds.
    assert [page.locator(f"#seed{n} input").input_value() for n in (1, 2)] == ["28", "74"]
    assert page.locator("#morph-link").inner_text().strip() == ""
    terms = page.locator("footer.fg-terms").inner_text()
    assert "non-commercial research" in terms and "none of these people exists" in terms
    for tab in ("Morph", "100 faces", "Attributes"):
        visitor.tab(tab)
        if tab == "100 faces":
            page.locator("#show-hundred").click()
            page.wait_for_selector(".fg-tile img")
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            dark = f"=== {str(scheme == 'dark').lower()}"
            page.wait_for_function(f"() => document.body.classList.contains('dark') {dark}")
            page.wait_for_timeout(250)
            page.screenshot(path=picture(f"phone-{scheme}-{tab}"), full_page=True)
            assert page.evaluate(LOW_CONTRAST, TEXTS) == [], f"{tab}, {scheme}"
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 390, f"{tab}: the page is {wide} pixels wide"
        assert page.evaluate(NAMELESS) == []
        assert page.locator("img").evaluate_all(WITHOUT_ALT) == []
    assert visitor.elsewhere == [] and visitor.complaints == []
    visitor.close()
