/**
 * Which classes the network takes for which: the confusion matrix, its cells' images, and the units
 * that were misled.
 *
 *   event: "unit", with detail {layer, unit}, when one is chosen
 */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { tell } from "/pad/fault.js";
import { percent, short } from "/pad/number.js";

const LISTED = 10;
const UNITS = 8;

export class Mistakes extends EventTarget {
  #model = null;
  #matrix = null;
  #shown = false;
  #chosen = null;
  #active = [0, 0];
  #stop = null;

  constructor(panel, { scheme, trouble }) {
    super();
    Object.assign(this, { panel, scheme, trouble });
    this.#build();
  }

  async model(model) {
    this.#model = model;
    this.#matrix = this.#chosen = null;
    this.#stop?.abort();
    this.cell.hidden = true;
    if (this.#shown) await this.#load();
  }

  async show(now) {
    this.#shown = now;
    if (now && !this.#matrix) await this.#load();
    this.#paint();
  }

  repaint() {
    this.#paint();
  }

  #build() {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.option = element("div", { class: "unseen", role: "option", id: "matrix-option" });
    this.grid = element(
      "div",
      {
        class: "matrix", tabindex: "0", role: "listbox", "aria-label": "Confusion matrix",
        "aria-activedescendant": "matrix-option",
      },
      this.canvas,
      this.option,
    );
    this.state = element("p", { class: "state quiet", role: "status" });
    this.worst = element("ol", { class: "worst" });
    this.cell = element("section", { class: "cell", hidden: true, "aria-live": "polite" });
    this.panel.replaceChildren(
      this.state,
      element(
        "div",
        { class: "mistaken" },
        element(
          "figure",
          {},
          this.grid,
          element("figcaption", {}, "Rows: what it is. Columns: what the network says."),
        ),
        element("div", {}, element("h3", {}, "Most frequent mistakes"), this.worst),
      ),
      this.cell,
    );
    this.grid.addEventListener("click", (event) => this.#click(event));
    this.grid.addEventListener("pointermove", (event) => (this.grid.title = this.#title(this.#under(event))));
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    this.grid.addEventListener("focus", () => this.#paint());
    this.grid.addEventListener("blur", () => this.#paint());
    new ResizeObserver(() => this.#paint()).observe(this.grid);
  }

  async #load() {
    const { name } = this.#model;
    this.state.textContent = "Loading";
    this.panel.classList.add("blank");
    try {
      const found = await api.confusions(name);
      if (name !== this.#model.name) return;
      this.#take(found);
      this.panel.classList.remove("blank");
    } catch (error) {
      tell(error, this.state, this.trouble);
    }
  }

  #take({ labels, cells }) {
    const counts = labels.map(() => new Int32Array(labels.length));
    for (const { truth, answer, count } of cells) counts[truth][answer] = count;
    this.#matrix = { labels, counts, totals: counts.map((row) => row.reduce((a, b) => a + b, 0)) };
    this.#active = [0, 0];
    // Many classes need more room than ten do.
    this.panel.style.setProperty("--matrix", labels.length > 12 ? "680px" : "440px");
    const mistakes = cells.filter(({ truth, answer }) => truth !== answer);
    mistakes.sort((a, b) => b.count - a.count);
    const wrong = mistakes.reduce((sum, { count }) => sum + count, 0);
    const all = cells.reduce((sum, { count }) => sum + count, 0);
    this.state.textContent = `${wrong.toLocaleString("en")} of ${all.toLocaleString("en")} test images are answered wrongly.`;
    this.worst.replaceChildren(...mistakes.slice(0, LISTED).map((one) => this.#mistake(one)));
    this.#describe();
    this.#paint();
  }

  #mistake({ truth, answer, count }) {
    const { labels, totals } = this.#matrix;
    const button = element(
      "button",
      { type: "button" },
      element("b", {}, labels[truth]),
      " read as ",
      element("b", {}, labels[answer]),
      element("span", { class: "quiet" }, `${count} of ${totals[truth].toLocaleString("en")}`),
    );
    button.addEventListener("click", () => this.#choose([truth, answer]));
    return element("li", {}, button);
  }

  #layout() {
    const n = this.#matrix.labels.length;
    const room = this.grid.clientWidth;
    const margin = Math.min(room * 0.24, 10 + 7 * Math.max(...this.#matrix.labels.map((l) => l.length)));
    return { n, margin, side: (room - margin) / n };
  }

  #paint() {
    if (!this.#matrix || !this.grid.clientWidth) return;
    const { n, margin, side } = this.#layout();
    const density = devicePixelRatio;
    const size = margin + n * side;
    Object.assign(this.canvas, { width: size * density, height: size * density });
    const context = this.canvas.getContext("2d");
    context.scale(density, density);
    const style = getComputedStyle(this.grid);
    const paint = (name) => style.getPropertyValue(name).trim();
    this.#letters(context, { n, margin, side }, paint("--quiet"));
    for (let row = 0; row < n; row += 1) {
      for (let column = 0; column < n; column += 1) this.#square(context, row, column, paint);
    }
    const rings = [[this.#chosen, "--accent"], [document.activeElement === this.grid && this.#active, "--ink"]];
    for (const [at, colour] of rings) {
      if (!at) continue;
      Object.assign(context, { strokeStyle: paint(colour), lineWidth: 2 });
      context.strokeRect(margin + at[1] * side, margin + at[0] * side, side, side);
    }
  }

  /** Right answers in grey, mistakes in the accent: both by their share of the row, as a root, so
   * that one image in a thousand can still be seen. */
  #square(context, row, column, paint) {
    const { counts, totals } = this.#matrix;
    const { margin, side } = this.#layout();
    const gap = side > 9 ? 1 : 0.5;
    const box = [margin + column * side + gap / 2, margin + row * side + gap / 2, side - gap, side - gap];
    const count = counts[row][column];
    context.fillStyle = paint("--sunk");
    context.fillRect(...box);
    if (!count) return;
    context.globalAlpha = row === column ? 0.35 * Math.sqrt(count / totals[row]) : 0.25 + 0.75 * Math.min(1, Math.sqrt((6 * count) / totals[row]));
    context.fillStyle = paint(row === column ? "--ink" : "--accent");
    context.fillRect(...box);
    context.globalAlpha = 1;
    if (side < 22) return;
    Object.assign(context, { textAlign: "center", textBaseline: "middle", fillStyle: paint("--ink") });
    context.font = `${Math.min(13, side * 0.32)}px system-ui, sans-serif`;
    context.fillText(count, box[0] + box[2] / 2, box[1] + box[3] / 2 + 0.5);
  }

  #letters(context, { margin, side }, colour) {
    const { labels } = this.#matrix;
    context.fillStyle = colour;
    const size = Math.max(6, Math.min(13, side * 0.72));
    context.font = `${size}px system-ui, sans-serif`;
    labels.forEach((label, i) => {
      const at = margin + (i + 0.5) * side;
      Object.assign(context, { textAlign: "right", textBaseline: "middle" });
      context.fillText(label, margin - 6, at);
      context.save();
      if (label.length > 1) {
        context.translate(at, margin - 6);
        context.rotate(-Math.PI / 2);
        context.textAlign = "left";
        context.fillText(label, 0, 0);
      } else {
        Object.assign(context, { textAlign: "center", textBaseline: "bottom" });
        context.fillText(label, at, margin - 4);
      }
      context.restore();
    });
  }

  #under({ clientX, clientY }) {
    if (!this.#matrix) return null;
    const { n, margin, side } = this.#layout();
    const box = this.grid.getBoundingClientRect();
    const row = Math.floor((clientY - box.top - margin) / side);
    const column = Math.floor((clientX - box.left - margin) / side);
    return row >= 0 && row < n && column >= 0 && column < n ? [row, column] : null;
  }

  #title(at) {
    if (!at) return "";
    const { labels, counts } = this.#matrix;
    const [truth, answer] = at;
    return `${labels[truth]} read as ${labels[answer]}: ${counts[truth][answer]}`;
  }

  #click(event) {
    const at = this.#under(event);
    if (at) this.#choose(at);
  }

  #key(event) {
    if (!this.#matrix || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#matrix.labels.length - 1;
    const [row, column] = this.#active;
    const step = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: [row, 0], End: [row, last],
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(this.#active);
    else if (!step) return;
    else this.#active = step.map((at) => Math.min(last, Math.max(0, at)));
    event.preventDefault();
    this.#describe();
    this.#paint();
  }

  #describe() {
    this.option.textContent = this.#title(this.#active);
    this.option.setAttribute("aria-selected", String(this.#active) === String(this.#chosen));
  }

  async #choose(at) {
    const { labels } = this.#matrix;
    this.#chosen = this.#active = at;
    this.#describe();
    this.#paint();
    this.#stop?.abort();
    const stop = (this.#stop = new AbortController());
    const [truth, answer] = at;
    const title = truth === answer ? `${labels[truth]}, read rightly` : `${labels[truth]} read as ${labels[answer]}`;
    this.cell.hidden = false;
    this.cell.replaceChildren(element("h3", {}, title), element("p", { class: "quiet" }, "Loading"));
    try {
      const found = await api.confusion(this.#model.name, truth, answer, stop.signal);
      if (!stop.signal.aborted) this.#open(title, found);
    } catch (error) {
      if (stop.signal.aborted) return;
      tell(error, this.cell.lastElementChild, this.trouble);
    }
  }

  #open(title, { truth, answer, count, examples, units, between }) {
    const wrong = truth.index !== answer.index;
    const shown = examples.map(({ image, confidence }) =>
      element(
        "li",
        {},
        element("img", { src: `${image}?scale=4`, alt: `A ${truth.label}` }),
        element("span", {}, percent(confidence)),
      ),
    );
    const about = count === 0 ? "No test image is." : `${count.toLocaleString("en")} test images${count > shown.length ? `; ${shown.length} of them` : ""}, with how sure it is:`;
    this.cell.replaceChildren(
      element("h3", {}, title),
      element("p", { class: "quiet" }, about),
      element("ol", { class: "near" }, ...shown),
      ...(units.length
        ? [this.#units(`Units that answer otherwise here than to most of class ${truth.label}`, units)]
        : []),
      ...(wrong && between.length
        ? [this.#units(`Units that tell ${truth.label} from ${answer.label} best`, between)]
        : []),
    );
    this.cell.scrollIntoView({ block: "nearest" });
  }

  #units(title, units) {
    const largest = Math.max(...units.map(({ effect }) => Math.abs(effect)));
    const rows = units.slice(0, UNITS).map(({ layer, unit, effect }) => {
      const bar = element("i");
      bar.style.setProperty("--share", Math.abs(effect) / largest);
      bar.classList.toggle("less", effect < 0);
      const text = `${short(Math.abs(effect))} σ ${effect < 0 ? "less" : "more"}`;
      const button = element("button", { type: "button" }, `${layer} · ${unit}`, bar, element("span", { class: "quiet" }, text));
      button.addEventListener("click", () =>
        this.dispatchEvent(new CustomEvent("unit", { detail: { layer, unit } })),
      );
      return element("li", {}, button);
    });
    return element("div", {}, element("h4", {}, title), element("ol", { class: "units" }, ...rows));
  }
}
