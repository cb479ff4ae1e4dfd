/** The smallest change of a drawing that makes the network answer otherwise, on demand. */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { tell } from "/pad/fault.js";
import { heatOf, lightness, overlay } from "/pad/heat.js";
import { percent } from "/pad/number.js";

export class Fooled {
  #model = null;
  #source = null;
  #stop = null;
  #found = null;

  constructor(part, { scheme, trouble }) {
    Object.assign(this, { part, scheme, trouble });
    this.button = element("button", { type: "button", class: "plain" }, "Fool it");
    this.target = element("select", { "aria-label": "Answer to be fooled into" });
    this.state = element("p", { class: "quiet", role: "status" });
    this.result = element("div", { class: "three", hidden: true });
    const head = element("h3", {}, "How little it takes to fool it");
    const row = element("p", { class: "row" }, this.button, " into ", this.target);
    part.replaceChildren(head, row, this.state, this.result);
    this.button.addEventListener("click", () => this.#fool());
    this.target.addEventListener("change", () => this.#clear());
  }

  model(model) {
    this.#model = model;
    const labels = model.labels.map((label) => element("option", { value: label }, label));
    this.target.replaceChildren(element("option", { value: "" }, "anything else"), ...labels);
    this.#clear();
  }

  draw(source) {
    this.#source = source;
    this.button.disabled = !source;
    this.#clear();
  }

  repaint() {
    if (this.#found) this.#show(this.#found);
  }

  #clear() {
    this.#stop?.abort();
    this.#stop = null;
    this.#found = null;
    this.result.hidden = true;
    this.state.textContent = "";
  }

  async #fool() {
    this.#clear();
    const stop = (this.#stop = new AbortController());
    this.state.textContent = "Looking for the smallest change";
    try {
      const target = this.target.value || null;
      const found = await api.adversarial(this.#model.name, this.#source, target, stop.signal);
      if (!stop.signal.aborted) await this.#show(found);
    } catch (error) {
      if (stop.signal.aborted) return;
      tell(error, this.state, this.trouble);
    }
  }

  async #show(found) {
    this.#found = found;
    const { before, after, levels } = found;
    const largest = levels / 255;
    const light = await lightness(before.png);
    const changed = element("canvas", { role: "img", "aria-label": "What was changed" });
    overlay(changed, heatOf(found.change), light, this.scheme());
    this.result.replaceChildren(
      shown(picture(before.png, "As it was seen"), `${before.label}, ${percent(before.confidence)}`),
      shown(changed, `changed by ${percent(largest)} at most`),
      shown(picture(after.png, "As it is seen then"), `${after.label}, ${percent(after.confidence)}`),
    );
    this.result.hidden = false;
    this.state.textContent = found.fooled
      ? `Enough to make a ${before.label} a ${after.label}.`
      : `It holds: even changes of ${percent(largest)} do not fool it.`;
  }
}

const picture = (png, alt) => element("img", { src: `data:image/png;base64,${png}`, alt });

const shown = (what, text) =>
  element("figure", {}, element("div", { class: "frame" }, what), element("figcaption", {}, text));
