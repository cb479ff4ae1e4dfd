/**
 * Two versions side by side: which layers do the same, which units have a partner, and what both
 * look for.
 *
 *   event: "unit", with detail {layer, unit}, when one of the first version is chosen
 */

import * as api from "/pad/api.js";
import { ramp } from "/pad/colour.js";
import { element } from "/pad/element.js";
import { tell } from "/pad/fault.js";
import { percent } from "/pad/number.js";

const PAIRS = 12;

export class Compare extends EventTarget {
  #model = null;
  #models = () => [];
  #found = null;
  #chosen = 0;
  #shown = false;
  #stop = null;

  /** @param models what is served now, as the service lists it */
  constructor(panel, { scheme, trouble, models }) {
    super();
    Object.assign(this, { panel, scheme, trouble });
    this.#models = models;
    this.#build();
  }

  model(model) {
    this.#model = model;
    this.#stop?.abort();
    this.#found = null;
    this.#offer();
    if (this.#shown) this.#load();
  }

  show(now) {
    this.#shown = now;
    if (now && !this.#found) {
      this.#offer();
      this.#load();
    }
    this.#paint();
  }

  repaint() {
    this.#paint();
  }

  #build() {
    this.other = element("select", { "aria-label": "Compared with" });
    this.state = element("p", { class: "quiet state", role: "status" });
    this.canvas = element("canvas", { role: "img" });
    this.axes = element("figcaption", {});
    this.layers = element("ol", { class: "units" });
    this.pairs = element("section", { class: "cell", hidden: true, "aria-live": "polite" });
    this.panel.replaceChildren(
      element("label", { class: "target" }, "Beside ", this.other),
      this.state,
      element(
        "div",
        { class: "mistaken" },
        element("figure", {}, element("div", { class: "matrix" }, this.canvas), this.axes),
        element("div", {}, element("h3", {}, "Each layer and the one most like it"), this.layers),
      ),
      this.pairs,
    );
    this.other.addEventListener("change", () => this.#load());
    this.canvas.addEventListener("pointermove", (event) => (this.canvas.title = this.#title(event)));
    this.canvas.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.#paint()).observe(this.canvas);
  }

  /** Every version that takes the same images, the nearest first: the one before it. */
  #offer() {
    const [plain] = this.#model.name.split("@");
    const models = this.#models();
    const { input } = models.find(({ name }) => name === plain) ?? {};
    const same = ({ input: theirs }) => JSON.stringify(theirs) === JSON.stringify(input);
    const known = models.filter((one) => one.input && same(one)).sort((a) => (a.name === plain ? -1 : 1));
    const refs = known.flatMap(({ name, versions, production }) =>
      [...versions].reverse().filter((n) => name !== plain || n !== this.#version(production)).map((n) => `${name}@${n}`),
    );
    const before = this.other.value;
    this.other.replaceChildren(...refs.map((ref) => element("option", { value: ref }, ref)));
    if (refs.includes(before)) this.other.value = before;
  }

  #version(production) {
    const [, named] = this.#model.name.split("@");
    return /^\d+$/.test(named ?? "") ? Number(named) : production;
  }

  async #load() {
    this.#stop?.abort();
    const stop = (this.#stop = new AbortController());
    this.#found = null;
    this.pairs.hidden = true;
    this.layers.replaceChildren();
    this.#paint();
    this.panel.classList.add("blank");
    if (!this.other.value) {
      this.state.textContent = "There is no other version that takes the same images.";
      return;
    }
    this.state.textContent = "Comparing";
    try {
      const found = await api.comparison(this.#model.name, this.other.value, stop.signal);
      if (!stop.signal.aborted) this.#take(found);
    } catch (error) {
      if (stop.signal.aborted) return;
      tell(error, this.state, this.trouble);
    }
  }

  #take(found) {
    this.#found = found;
    this.panel.classList.remove("blank");
    const { first, second, images, agreement, layers } = found;
    const share = agreement === 1 ? "all" : `${percent(agreement)} of`;
    this.state.textContent = `${first} and ${second} give the same answer to ${share} ${images} test images.`;
    this.layers.replaceChildren(...layers.map((layer, i) => this.#layer(layer, i)));
    this.#choose(layers.length - 1, false);
  }

  #layer({ first, second, cka }, i) {
    const bar = element("i");
    bar.style.setProperty("--share", Math.max(0, cka));
    const name = first === second ? first : `${first} · ${second}`;
    const button = element("button", { type: "button" }, name, bar, element("span", { class: "quiet" }, cka.toFixed(3)));
    button.addEventListener("click", () => this.#choose(i));
    return element("li", {}, button);
  }

  #side() {
    return { rows: this.#found.first_layers.length, columns: this.#found.second_layers.length };
  }

  #paint() {
    const size = this.canvas.clientWidth;
    if (!this.#found || !size) return;
    const { rows, columns } = this.#side();
    Object.assign(this.canvas, { width: size * devicePixelRatio, height: size * devicePixelRatio });
    const context = this.canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    const [w, h] = [size / columns, size / rows];
    const colours = ramp(this.scheme());
    this.#found.cka.forEach((row, y) =>
      row.forEach((value, x) => {
        context.fillStyle = css(colours[Math.round(255 * Math.min(1, Math.max(0, value)))]);
        context.fillRect(x * w + 0.5, y * h + 0.5, w - 1, h - 1);
      }),
    );
    const ends = this.scheme() === "dark" ? "Light" : "Dark";
    this.axes.textContent = `Rows: layers of ${this.#found.first}. Columns: of ${this.#found.second}. ${ends} is alike (linear CKA).`;
    const { first, second } = this.#found.layers[this.#chosen];
    const { first_layers: across, second_layers: down } = this.#found;
    const style = getComputedStyle(this.canvas);
    Object.assign(context, { strokeStyle: style.getPropertyValue("--accent"), lineWidth: 2 });
    context.strokeRect(down.indexOf(second) * w + 1, across.indexOf(first) * h + 1, w - 2, h - 2);
    this.canvas.setAttribute("aria-label", `How alike ${rows} and ${columns} layers are`);
  }

  #under({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const { rows, columns } = this.#side();
    return [
      Math.floor(((clientY - box.top) / box.height) * rows),
      Math.floor(((clientX - box.left) / box.width) * columns),
    ];
  }

  #title(event) {
    if (!this.#found) return "";
    const [row, column] = this.#under(event);
    const value = this.#found.cka[row]?.[column];
    if (value === undefined) return "";
    return `${this.#found.first_layers[row]} and ${this.#found.second_layers[column]}: ${value.toFixed(3)}`;
  }

  #click(event) {
    if (!this.#found) return;
    const name = this.#found.first_layers[this.#under(event)[0]];
    const at = this.#found.layers.findIndex(({ first }) => first === name);
    if (at >= 0) this.#choose(at);
  }

  #choose(i, scroll = true) {
    this.#chosen = i;
    [...this.layers.children].forEach((item, k) =>
      item.firstChild.setAttribute("aria-current", String(k === i)),
    );
    this.#paint();
    this.#open(this.#found.layers[i]);
    if (scroll) this.pairs.scrollIntoView({ block: "nearest" });
  }

  /** The units most alike, and those that have no partner. */
  #open({ first, second, matches }) {
    const order = [...matches].sort((a, b) => b.correlation - a.correlation);
    const alike = order.slice(0, PAIRS);
    const alone = order.slice(PAIRS).slice(-PAIRS / 2).reverse();
    const pictures = [];
    const list = (some) => element("ol", { class: "pairs" }, ...some.map((one) => this.#pair(first, second, one, pictures)));
    this.pairs.hidden = false;
    this.pairs.replaceChildren(
      element("h3", {}, first === second ? first : `${first} beside ${second}`),
      element("p", { class: "quiet" }, `What each unit of ${this.#found.first} looks for, and its partner in ${this.#found.second}: the unit that answers the same images most alike.`),
      list(alike),
      ...(alone.length ? [element("h4", {}, "Least like any unit there"), list(alone)] : []),
    );
    this.#draw(first, second, [...alike, ...alone], pictures);
  }

  #pair(layer, other, { unit, partner, correlation }, pictures) {
    const mine = element("img", { alt: `What ${layer} ${unit} looks for` });
    const theirs = element("img", { alt: `What ${other} ${partner} looks for` });
    pictures.push([mine, theirs]);
    const button = element(
      "button",
      { type: "button", title: `Open ${layer} ${unit}` },
      mine,
      theirs,
      element("span", {}, `${unit} · ${partner}`),
      element("span", { class: "quiet" }, correlation.toFixed(2)),
    );
    button.addEventListener("click", () =>
      this.dispatchEvent(new CustomEvent("unit", { detail: { layer, unit } })),
    );
    return element("li", {}, button);
  }

  async #draw(layer, other, matches, pictures) {
    const { first, second } = this.#found;
    const { signal } = this.#stop;
    const asked = [[first, layer, "unit"], [second, other, "partner"]];
    await Promise.all(
      asked.map(async ([ref, name, which], side) => {
        try {
          const units = matches.map((one) => one[which]);
          const images = await api.pictures(ref, name, units, signal);
          matches.forEach((one, i) => (pictures[i][side].src = `${images.get(one[which])}?scale=2`));
        } catch (error) {
          if (!signal.aborted && !(error instanceof api.Problem)) this.trouble(error);
        }
      }),
    );
  }
}

/** The ramp's colours are bytes in the order that a canvas has them. */
const css = (colour) => `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
