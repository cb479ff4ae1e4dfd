/**
 * What every layer was made to look for: its weights, a tile a unit, grey where they are zero.
 *
 *   event: "unit", with detail {layer, unit}, when one is chosen
 */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { count } from "/pad/number.js";
import { Strip } from "/pad/strip.js";
import { spread } from "/pad/tiles.js";

/** Of the kernels that a deeper unit has, one for each of its inputs. */
const VIEWS = [
  ["", "mean", "the mean of a unit's kernels, with its sign: white is for, black is against"],
  ["norm", "strength", "how strong a unit's kernels are at each place, whatever their sign"],
];

const RANGES = [["unit", "channel"], ["layer", "layer"]];

export class Weights extends EventTarget {
  #model = null;
  #strips = [];
  #shown = false;
  #stop = null;

  constructor(panel, { scheme, trouble }) {
    super();
    Object.assign(this, { panel, scheme, trouble });
    this.#build();
    new ResizeObserver(() => this.#each((strip) => strip.resize())).observe(this.list);
  }

  model(model) {
    this.#model = model;
    this.#stop?.abort();
    this.#strips = [];
    this.list.replaceChildren();
    if (this.#shown) this.#load();
  }

  show(now) {
    this.#shown = now;
    if (now && !this.#strips.length) this.#load();
  }

  repaint() {
    this.#each((strip) => strip.refresh());
  }

  #build() {
    this.views = choice("weights-view", "Of many inputs show", VIEWS);
    this.ranges = choice("weights-range", "Contrast over each", RANGES);
    this.about = element("p", { class: "quiet" });
    this.list = element("div", { class: "strips" });
    this.panel.replaceChildren(
      element("header", { class: "layers-head" }, this.about, element("div", { class: "choices" }, this.views, this.ranges)),
      this.list,
    );
    this.panel.addEventListener("change", () => this.#load());
    this.list.addEventListener("choose", ({ detail: { layer, unit } }) =>
      this.dispatchEvent(new CustomEvent("unit", { detail: { layer: layer.name, unit } })),
    );
  }

  /** One after the other, from the image on. */
  async #load() {
    const { name, layers, labels } = this.#model;
    const asked = { show: value(this.views), range: value(this.ranges) };
    this.#stop?.abort();
    const { signal } = (this.#stop = new AbortController());
    this.about.textContent = `A tile is a unit, grey is a weight of zero: ${VIEWS.find(([key]) => key === asked.show)[2]}.`;
    if (!this.#strips.length) this.#lay(layers.filter((layer) => layer.kernel), labels);
    try {
      for (const strip of this.#strips) {
        const sheet = await createImageBitmap(await api.filters(name, strip.layer.name, asked, signal));
        if (signal.aborted) return;
        strip.show(sheet);
      }
    } catch (error) {
      if (!signal.aborted) this.trouble(error);
    }
  }

  #lay(layers, labels) {
    this.#strips = layers.map((layer) => this.#strip(layer, labels));
    this.list.replaceChildren(...this.#strips.map((strip) => strip.element));
    this.#each((strip) => {
      strip.resize();
      strip.seen = true;
    });
  }

  #strip(layer, labels) {
    const [inputs, height, width] = layer.kernel;
    const size = `${count(layer.units, "unit")}, ${inputs} × ${height} × ${width} weights each`;
    // A row of weights is drawn as a band: one pixel high it could not be seen.
    const shown = [layer.units, height === 1 ? Math.max(1, Math.round(width / 16)) : height, width];
    return new Strip({ ...layer, output_shape: shown }, this.scheme, labels, {
      id: "weights",
      about: size,
      legend: () => [element("i", { class: "greys" }), "− 0 +"],
      paint: (canvas, sheet, [units], pixels, _, density) =>
        spread(canvas, sheet, units, density, pixels && ((unit) => cut(pixels, units, height, width, unit))),
    });
  }

  #each(act) {
    for (const strip of this.#strips) act(strip);
  }
}

/** Where the service puts a unit: as square as it gets, single rows one below the other. */
function cut(pixels, units, height, width, unit) {
  const columns = height === 1 ? 1 : Math.ceil(Math.sqrt(units));
  return [pixels, (unit % columns) * (width + 1), Math.floor(unit / columns) * (height + 1), width, height];
}

function choice(name, title, options) {
  return element(
    "fieldset",
    { class: "ranges" },
    element("legend", {}, title),
    ...options.map(([value, text], i) =>
      element("label", {}, element("input", { type: "radio", name, value, checked: i === 0 }), element("span", {}, text)),
    ),
  );
}

const value = (fieldset) => fieldset.querySelector(":checked").value;
