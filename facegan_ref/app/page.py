"""The page in Gradio: what stands where, and which action each part of it calls."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence

import gradio as gr

from facegan_ref.app import actions, markup
from facegan_ref.app.checkpoints import (
    MOST_ATTRIBUTES,
    CannotShow,
    Checkpoints,
    readable,
)

log = logging.getLogger(__name__)
FIRST_FACES = (28, 74)

HEADER = """
<header class="fg-header"><h1>Faces of nobody</h1>
<p>A generator draws a face from a list of random numbers. A seed names the list, so the same seed
is the same face tomorrow. Between two lists lie other faces: move the slider.</p></header>
"""
PRESSED = "facegan.saveNewest"  # in page.js


def build_page(checkpoints: Checkpoints) -> gr.Blocks:
    """The page for these generators; `server.launch` serves it."""
    with gr.Blocks(title="Faces of nobody: a face GAN", analytics_enabled=False) as page:
        gr.HTML(HEADER)
        with gr.Row(elem_classes="fg-top", equal_height=True):
            names = checkpoints.names
            generator = gr.Dropdown(
                names,
                value=names[0] if names else None,
                label="Generator",
                scale=2,
                elem_id="generator",
                filterable=False,
            )
            about = gr.HTML(elem_id="about", min_width=260)
        warning = gr.HTML(elem_id="warning")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Morph", id="morph-tab"):
                show_morph = _morph_tab(checkpoints, generator)
            with gr.Tab("100 faces", id="sheet-tab"):
                show_hundred = _sheet_tab(checkpoints, generator)
            with gr.Tab("Attributes", id="attributes-tab"):
                show_attributes = _attributes_tab(checkpoints, generator)
        gr.HTML(f'<footer class="fg-terms"><p>{markup.TERMS}</p></footer>')

        def describe(name: object) -> tuple[str, str]:
            try:
                return markup.about(checkpoints.load(name)), ""
            except CannotShow as error:
                return "", markup.message(str(error))

        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        events = [page.load, generator.change]
        gr.on(events, describe, [generator], [about, warning], **quiet)
        for show in (show_morph, show_attributes):
            show(events)
        show_hundred([generator.change])
    # Two at a time, so that one visitor's hundred faces do not make all others wait.
    return page.queue(max_size=100, default_concurrency_limit=2)


def _answering(action: Callable, outputs: int, instead: object = None) -> Callable:
    """`action`, and after its outputs what goes into the tab's message.

    When the action can't be done, the message says why, and all outputs stay as they are, or are
    `instead`.
    """

    @functools.wraps(action)
    def answer(*inputs: object) -> tuple:
        try:
            return (*action(*inputs), "")
        except CannotShow as error:
            why = str(error)
        except Exception:  # the page lives on; what happened stands in the server's log
            log.exception("%s failed", action.__name__)
            why = "Something went wrong on the server; its log says what. Try again."
        kept = gr.skip() if instead is None else instead
        return (*[kept] * outputs, markup.message(why))

    return answer


def _on(triggers: Sequence, action: Callable, inputs: list, outputs: list, said: gr.HTML, **how):
    """Call `action` whenever one of `triggers` happens; of many in a row, the last counts."""
    options = {"trigger_mode": "always_last", "show_progress": "minimal", **how}
    options.setdefault("api_visibility", "private")
    answer = _answering(action, len(outputs), options.pop("instead", None))
    return gr.on(list(triggers), answer, inputs, [*outputs, said], **options)


def _saving(button: gr.Button, action: Callable, inputs: list, link: gr.HTML, said: gr.HTML):
    """Let a button make a file and save it."""

    def make(*values: object) -> tuple[str]:
        return (markup.saved(*action(*values)),)

    done = _on([button.click], make, inputs, [link], said, instead="")
    done.then(None, None, None, js=f"() => {PRESSED}('{link.elem_id}')")


def _seed(label: str, value: int, name: str) -> gr.Number:
    return gr.Number(value, label=label, elem_id=name, min_width=120, elem_classes="fg-seed")


def _slot(name: str, text: str = "Drawing…") -> gr.HTML:
    return gr.HTML(markup.placeholder(text), elem_id=name)


def _draw(button: gr.Button, seed: gr.Number) -> None:
    """Let a button put a random seed into a field."""
    button.click(actions.another_seed, None, seed, show_progress="hidden", api_visibility="private")


def _morph_tab(checkpoints: Checkpoints, generator: gr.Dropdown) -> Callable:
    with gr.Row(elem_classes="fg-morph"):
        with gr.Column(scale=6, min_width=300):
            with gr.Row(elem_classes="fg-pair"):
                seeds, faces = [], []
                for number, value in enumerate(FIRST_FACES, start=1):
                    with gr.Column(min_width=130):
                        faces.append(_slot(f"face{number}"))
                        seed = _seed(f"Seed of face {number}", value, f"seed{number}")
                        button = gr.Button(f"Another face {number}", elem_id=f"another{number}")
                        _draw(button, seed)
                        seeds.append(seed)
            said = gr.HTML(elem_id="morph-message")
        with gr.Column(scale=5, min_width=300):
            stage = _slot("stage")
            place = gr.Slider(
                0,
                100,
                50,
                step=2.5,
                label="From face 1 to face 2, in percent",
                elem_id="place",
                buttons=[],
            )
            play = gr.Button("Play", elem_id="play")
    with gr.Row(elem_classes="fg-downloads"):
        still = gr.Button("Save this face (PNG)", elem_id="save-still")
        strip = gr.Button("Save the morph (PNG)", elem_id="save-strip")
        film = gr.Button("Save the film (GIF)", elem_id="save-film")
    link = gr.HTML(elem_id="morph-link")

    def show(name: object, first: object, second: object, percent: object) -> tuple:
        share = actions.read_share(percent)
        try:
            loaded = checkpoints.load(name)
        except CannotShow:  # the warning above the tabs says why
            empty = markup.placeholder("No face")
            return empty, empty, empty
        made = actions.make_morph(loaded, first, second)
        return (
            markup.face(made.images[0], made.seed1, "Face 1"),
            markup.face(made.images[-1], made.seed2, "Face 2"),
            markup.stage(made, share),
        )

    inputs = [generator, *seeds]

    def start(events: list) -> None:
        triggers = [*events, *(seed.change for seed in seeds)]
        _on(triggers, show, [*inputs, place], [*faces, stage], said)

    # In the browser alone: the slider picks among faces that are already there.
    place.change(None, [place], None, js="(percent) => facegan.pick(percent)")
    play.click(None, None, None, js="() => facegan.play()")
    for button, action, more in (
        (still, actions.still_of, [place]),
        (strip, actions.strip_of, []),
        (film, actions.film_of, []),
    ):

        def make(name: object, *values: object, action: Callable = action) -> tuple[str, bytes]:
            return action(checkpoints.load(name), *values)

        _saving(button, make, [*inputs, *more], link, said)
    return start


def _sheet_tab(checkpoints: Checkpoints, generator: gr.Dropdown) -> Callable:
    with gr.Row(elem_classes="fg-controls", equal_height=False):
        first = _seed("Seed of the first face", 0, "first")
        gr.Radio(
            ["Face 1", "Face 2"],
            value="Face 1",
            label="A click on a face makes it",
            interactive=True,  # only page.js reads it, which Gradio can't know
            elem_id="take",
            min_width=220,
        )
    with gr.Row(elem_classes="fg-downloads"):
        button = gr.Button("Show 100 faces", variant="primary", elem_id="show-hundred")
        another = gr.Button("Another 100", elem_id="another-hundred")
        save = gr.Button("Save them (PNG)", elem_id="save-sheet")
    said = gr.HTML(elem_id="sheet-message")
    gr.HTML(elem_id="taken")  # page.js says there which seed a click took over
    link = gr.HTML(elem_id="sheet-link")
    sheet = _slot("sheet", "Press “Show 100 faces”.")

    def show(name: object, start: object) -> tuple[str, str]:
        return markup.sheet(*actions.make_hundred(checkpoints.load(name), start)), ""

    def make(name: object, start: object) -> tuple[str, bytes]:
        return actions.sheet_of(checkpoints.load(name), start)

    def forget() -> tuple[str, str]:
        return markup.placeholder("Another generator: press “Show 100 faces”."), ""

    _on([button.click, first.submit], show, [generator, first], [sheet, link], said)
    drawn = another.click(
        actions.another_seed, None, first, show_progress="hidden", api_visibility="private"
    )
    answer = _answering(show, 2)
    drawn.then(answer, [generator, first], [sheet, link, said], api_visibility="private")
    _saving(save, make, [generator, first], link, said)

    def start(events: list) -> None:
        _on(events, forget, [], [sheet, link], said, show_progress="hidden")

    return start


def _attributes_tab(checkpoints: Checkpoints, generator: gr.Dropdown) -> Callable:
    with gr.Row(elem_classes="fg-attributes"):
        with gr.Column(scale=5, min_width=300, elem_classes="fg-sticky"):
            faces = _slot("changed")
        with gr.Column(scale=6, min_width=300):
            with gr.Row(elem_classes="fg-downloads", equal_height=False):
                seed = _seed("Seed of the face", FIRST_FACES[0], "changed-seed")
                with gr.Column(min_width=130):
                    another = gr.Button("Another face", elem_id="another-changed")
                    back = gr.Button("All sliders to 0", elem_id="back")
            _draw(another, seed)
            said = gr.HTML(elem_id="attributes-message")
            why = gr.HTML(elem_id="why-none")
            with gr.Row(elem_classes="fg-sliders"):
                sliders = [
                    gr.Slider(
                        -3,
                        3,
                        0,
                        step=0.1,
                        visible=False,
                        label=f"Attribute {number}",
                        elem_id=f"attribute{number}",
                        min_width=220,
                        buttons=[],
                    )
                    for number in range(1, MOST_ATTRIBUTES + 1)
                ]

    def offer(name: object) -> tuple:
        try:
            loaded = checkpoints.load(name)
        except CannotShow:
            hidden = [gr.update(visible=False, value=0) for _ in sliders]
            return (*hidden, markup.placeholder("No generator can be shown."))
        found = loaded.attributes
        updates = [
            gr.update(
                visible=True,
                value=0,
                label=readable(attribute.name),
                info=f"Also changes: {attribute.besides}" if attribute.besides else None,
                minimum=-attribute.reach,
                maximum=attribute.reach,
            )
            for attribute in found
        ]
        updates += [gr.update(visible=False, value=0) for _ in sliders[len(found) :]]
        text = (
            '<p class="fg-note">Each slider moves the face along the direction in which a '
            "classifier sees the attribute grow. Names are the data set's; the numbers say how "
            "many of 100 faces gain or lose something else from one end to the other.</p>"
            if found
            else markup.placeholder(loaded.why_none)
        )
        return (*updates, text)

    def show(name: object, number: object, *amounts: object) -> tuple[str]:
        try:
            loaded = checkpoints.load(name)
        except CannotShow:
            return (markup.placeholder("No face"),)
        shown, images = actions.make_changed(loaded, number, amounts)
        before = markup.face(images[0], shown, "As drawn")
        after = markup.face(images[1], shown, "Changed")
        return (f'<div class="fg-two">{before}{after}</div>',)

    def start(events: list) -> None:
        _on(events, offer, [generator], [*sliders, why], said, show_progress="hidden")
        triggers = [*events, seed.change, *(slider.change for slider in sliders)]
        inputs = [generator, seed, *sliders]
        # Past the queue, which costs more time than a face.
        _on(triggers, show, inputs, [faces], said, show_progress="hidden", queue=False)

    back.click(None, None, sliders, js=f"() => Array({len(sliders)}).fill(0)")
    return start
