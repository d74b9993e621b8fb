// The page's own moves in the browser: the slider picks among faces that are already here,
// Play moves the slider, a click on one of a hundred faces takes its seed, and files are saved.
window.facegan = (() => {
  const find = (selector) => document.querySelector(selector);
  const range = () => find('#place input[type="range"]');
  let timer = null;

  // ---- the slider

  function pick(percent) {
    const stage = find("#stage .fg-stage");
    if (!stage || percent === null || percent === undefined || Number.isNaN(Number(percent))) return;
    if (stage.source !== stage.dataset.frames) {
      stage.source = stage.dataset.frames;
      stage.frames = JSON.parse(stage.source);
    }
    const share = Math.min(100, Math.max(0, Number(percent)));
    const text =
      `From face ${stage.dataset.from} to face ${stage.dataset.to}: ${share} % of the way`;
    const image = stage.querySelector("img");
    image.src = stage.frames[Math.round((share / 100) * (stage.frames.length - 1))];
    image.alt = text;
    stage.querySelector("figcaption").textContent = text;
  }

  // ---- fields of Gradio, set as if somebody typed

  function type(input, value) {
    const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
    setter.call(input, String(value));
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // ---- Play

  function name(text) {
    const button = find("#play");
    const words = [...(button?.childNodes || [])].find(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim()
    );
    if (words) words.data = text;
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    name("Play");
  }

  function play() {
    const input = range();
    if (timer || !input) {
      stop();
      return;
    }
    name("Stop");
    const step = Number(input.step) || 2.5;
    let forward = Number(input.value) < 100;
    timer = setInterval(() => {
      const slider = range();
      if (!slider || !slider.isConnected) return stop();
      const next = Number(slider.value) + (forward ? step : -step);
      if (next >= 100) forward = false;
      if (next <= 0) forward = true;
      type(slider, Math.min(100, Math.max(0, next)));
    }, 60);
  }

  // ---- files

  function saveNewest(place) {
    const link = find(`#${place} a[download]`);
    if (!link) return; // it could not be made, and a message says why
    // As a blob: some browsers refuse long data addresses.
    const [head, body] = link.href.split(",");
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    const blob = new Blob([bytes], { type: head.slice(5).split(";")[0] });
    const file = document.createElement("a");
    file.href = URL.createObjectURL(blob);
    file.download = link.download;
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 60000);
  }

  // ---- a hundred faces

  function take(tile) {
    const second = find('#take input[value="Face 2"]');
    const number = second && second.checked ? 2 : 1;
    const seed = tile.dataset.seed;
    type(find(`#seed${number} input`), seed);
    document.querySelectorAll(".fg-tile[aria-pressed]").forEach((other) => {
      other.removeAttribute("aria-pressed");
    });
    tile.setAttribute("aria-pressed", "true");
    const said = find("#taken .prose") || find("#taken");
    said.innerHTML = '<p class="fg-taken" role="status"></p>';
    said.firstChild.textContent = `Face ${number} of the morph now has the seed ${seed}.`;
  }

  document.addEventListener("click", (event) => {
    const tile = event.target.closest(".fg-tile");
    if (tile) take(tile);
  });
  document.addEventListener("pointerdown", (event) => {
    if (timer && event.target.closest("#place")) stop();
  });
  document.addEventListener("keydown", (event) => {
    if (timer && event.target.closest("#place")) stop();
  });

  // Gradio changes what is there instead of replacing it: after new faces have come, show those of
  // the slider as it stands now, and forget which face of a hundred was taken.
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.matches?.(".fg-tile")) target.removeAttribute("aria-pressed");
    }
    const stage = find("#stage .fg-stage");
    if (stage && stage.source !== stage.dataset.frames && range()) pick(range().value);
  }).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["data-frames", "data-seed"],
  });

  return { pick, play, saveNewest };
})();
