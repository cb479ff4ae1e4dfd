/**
 * The test images that drive a unit most, with the part of each that the unit can see.
 *
 *   const examples = new Examples(element)
 *   examples.show(model, layer, unit)     names; what was shown before is dropped
 *   examples.clear()
 */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { short } from "/pad/number.js";

export class Examples {
  #stop = null;

  constructor(part) {
    this.part = part;
  }

  clear() {
    this.#stop?.abort();
    this.#stop = null;
    this.part.replaceChildren();
  }

  async show(model, layer, unit) {
    this.clear();
    const stop = (this.#stop = new AbortController());
    try {
      const found = await api.examples(model, layer, unit, stop.signal);
      if (!stop.signal.aborted) this.#open(found);
    } catch (error) {
      if (stop.signal.aborted) return;
      // A checkpoint may carry none, and then says so; the panel is fine without.
      this.part.replaceChildren(element("p", { class: "quiet" }, error.message));
    }
  }

  #open({ examples, width, height }) {
    const carried = examples.filter(({ image }) => image);
    this.part.replaceChildren(
      element("h3", {}, "What drives it most in the test set"),
      element("ol", { class: "near" }, ...carried.map((one) => this.#one(one, { width, height }))),
    );
  }

  #one({ image, label, activation, field }, size) {
    const alt = `A ${label}, answered by ${short(activation)}`;
    const frame = element("div", { class: "seen" });
    frame.append(element("img", { src: `${image}?scale=4`, alt, loading: "lazy" }));
    if (field) frame.append(box(field, size));
    return element("li", {}, frame, element("span", {}, `${label} · ${short(activation)}`));
  }
}

/** What the unit sees of it, in shares of the image. */
function box({ top, left, bottom, right }, { width, height }) {
  const ring = element("i", { class: "field" });
  const part = (value, whole) => `${(100 * value) / whole}%`;
  Object.assign(ring.style, {
    top: part(top, height), left: part(left, width),
    bottom: part(height - bottom, height), right: part(width - right, width),
  });
  return ring;
}
