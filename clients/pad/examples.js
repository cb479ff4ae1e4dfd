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
      const { examples, ref } = await api.examples(model, layer, unit, stop.signal);
      if (!stop.signal.aborted) this.#open(examples, { ref, layer, unit });
    } catch (error) {
      if (stop.signal.aborted) return;
      // A checkpoint may carry none, and then says so; the panel is fine without.
      this.part.replaceChildren(element("p", { class: "quiet" }, error.message));
    }
  }

  #open(examples, { layer, unit }) {
    const list = examples.map((one) => this.#one(one, layer, unit));
    this.part.replaceChildren(
      element("h3", {}, "What drives it most in the test set"),
      element("ol", { class: "near" }, ...list),
    );
  }

  #one({ image, label, activation, field, size }) {
    const frame = element("div", { class: "seen" });
    frame.append(
      element("img", { src: `${image}?scale=4`, alt: `A ${label}, answered by ${short(activation)}`, loading: "lazy" }),
    );
    if (field) frame.append(box(field, size));
    return element("li", {}, frame, element("span", {}, `${label} · ${short(activation)}`));
  }
}

/** The receptive field, in shares of the image; it may reach over the edge. */
function box({ top, left, bottom, right }, { width, height }) {
  const ring = element("i", { class: "field" });
  const part = (value, whole) => `${100 * Math.min(1, Math.max(0, value / whole))}%`;
  Object.assign(ring.style, {
    top: part(top, height), left: part(left, width),
    bottom: part(height - bottom, height), right: part(width - right, width),
  });
  return ring;
}
