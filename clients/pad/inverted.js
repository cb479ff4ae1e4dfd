/**
 * What every layer still knows of the drawing: from layer to layer, another picture that it can
 * hardly tell from it. What is lost there, the layers behind can not know either.
 */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { tell } from "/pad/fault.js";
import { Newest, busyIn } from "/pad/newest.js";

/** Behind these the values of a layer are as the next one takes them. */
const FUNCTIONS = ["relu", "leaky_relu", "elu", "gelu", "silu", "mish", "tanh", "sigmoid", "global_pool"];

export class Inverted {
  #model = null;
  #source = null;
  #shown = false;
  #stale = true;
  #ask;

  constructor(panel, { scheme, trouble }) {
    Object.assign(this, { panel, scheme, trouble });
    this.#ask = new Newest((question, signal) => this.#work(question, signal), { busy: busyIn(panel) });
    this.state = element("p", { class: "quiet", role: "status" });
    this.list = element("ol", { class: "inverted" });
    panel.replaceChildren(this.state, this.list);
  }

  model(model) {
    this.#model = model;
    this.#forget();
    this.#go();
  }

  draw(source) {
    this.#source = source;
    this.#forget();
    this.#go();
  }

  show(now) {
    this.#shown = now;
    if (now) this.#go();
    else this.#ask.forget();
  }

  repaint() {}

  #forget() {
    this.#ask.forget();
    this.#stale = true;
    this.list.replaceChildren();
    this.state.textContent = "Draw something to see what each layer still knows of it.";
  }

  #go() {
    if (!this.#source || !this.#shown || !this.#stale) return;
    this.#ask.ask({ source: this.#source, model: this.#model }, true);
  }

  async #work({ source, model: { name, layers } }, signal) {
    const wanted = layers.filter(({ kind }, i) => FUNCTIONS.includes(kind) || i === layers.length - 1);
    const tiles = wanted.map((layer) => tile(layer.name, "…"));
    this.state.textContent =
      "Another picture that the layer can hardly tell from your drawing. What is gone, it no longer knows.";
    try {
      const { input } = await api.classify(name, source, 1, signal);
      const first = tile("The network sees", "");
      first.show(input.png);
      this.list.replaceChildren(first.element, ...tiles.map((one) => one.element));
      for (const [i, layer] of wanted.entries()) {
        const { error, picture } = await api.inversion(name, source, layer.name, signal);
        if (signal.aborted) return;
        tiles[i].show(picture.png, `${(100 * error).toFixed(error < 0.1 ? 1 : 0)} % off`);
      }
      this.#stale = false;
    } catch (error) {
      if (signal.aborted) return;
      tell(error, this.state, this.trouble);
    }
  }
}

function tile(title, about) {
  const image = element("img", { alt: "", hidden: true });
  const off = element("span", { class: "quiet" }, about);
  const frame = element("div", { class: "frame" }, image);
  return {
    element: element("li", {}, frame, element("b", {}, title), off),
    show(png, text = "") {
      image.src = `data:image/png;base64,${png}`;
      image.alt = text ? `What ${title} still knows of the drawing, ${text}` : title;
      image.hidden = false;
      off.textContent = text;
    },
  };
}
