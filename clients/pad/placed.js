/**
 * The test set on a map, as the last layer sees it, and the present drawing on it.
 *
 * Images that lie near each other look alike to the network. The drawing's nearest neighbours are
 * also listed, so that the map can be read without a pointer.
 */

import * as api from "/pad/api.js";
import { classColours } from "/pad/colour.js";
import { element } from "/pad/element.js";
import { tell } from "/pad/fault.js";
import { Newest, busyIn } from "/pad/newest.js";

const DOT = 2.1;
const NEAR = 14;

export class Placed {
  #model = null;
  #points = null;
  #place = null;
  #source = null;
  #shown = false;
  #only = null;
  #surface = null;
  #ask;

  constructor(panel, { scheme, trouble }) {
    Object.assign(this, { panel, scheme, trouble });
    this.#ask = new Newest((question, signal) => this.#work(question, signal), { busy: busyIn(panel) });
    this.#build();
  }

  async model(model) {
    this.#model = model;
    this.#points = this.#place = this.#only = null;
    this.#ask.forget();
    if (this.#shown) await this.#load();
  }

  draw(source) {
    this.#source = source;
    if (!source) {
      this.#ask.forget();
      this.#place = null;
      this.#paint();
      this.#list();
    } else this.#go();
  }

  async show(now) {
    this.#shown = now;
    if (!now) return this.#ask.forget();
    if (this.#points) this.#go();
    else await this.#load();
    this.#resize();
  }

  repaint() {
    this.#surface = null;
    this.#paint();
    this.#legend();
  }

  #build() {
    this.canvas = element("canvas", { role: "img", "aria-label": "Map of the test set" });
    this.state = element("p", { class: "state", role: "status" });
    this.classes = element("div", { class: "classes", role: "group", "aria-label": "Show only" });
    this.near = element("ol", { class: "near" });
    this.nearTitle = element("h3", {}, "Nearest test images");
    this.card = element("figure", { class: "card", hidden: true });
    this.panel.replaceChildren(
      element(
        "div",
        { class: "placed" },
        element("div", { class: "frame" }, this.canvas, this.state, this.card),
        element("div", { class: "beside" }, this.classes, this.nearTitle, this.near),
      ),
    );
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.canvas.addEventListener("pointerleave", () => (this.card.hidden = true));
  }

  async #load() {
    const { name } = this.#model;
    this.state.textContent = "Loading the map";
    try {
      const points = await api.embedding(name);
      if (name !== this.#model.name) return;
      this.#points = points;
      this.state.textContent = "";
    } catch (error) {
      this.#points = null;
      tell(error, this.state, this.trouble);
    }
    this.#surface = null;
    this.#legend();
    this.#list();
    this.#paint();
    this.#go();
  }

  #go() {
    if (!this.#source || !this.#shown || !this.#points) return;
    this.#ask.ask({ source: this.#source, model: this.#model.name }, true);
  }

  async #work({ source, model }, signal) {
    try {
      const place = await api.place(model, source, signal);
      if (signal.aborted) return;
      this.#place = place;
      this.#paint();
      this.#list();
    } catch (error) {
      if (!signal.aborted && !(error instanceof api.Problem)) this.trouble(error);
    }
  }

  #resize() {
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (!side || side === this.canvas.width) return;
    this.canvas.width = side;
    this.canvas.height = side;
    this.#surface = null;
    this.#paint();
  }

  /** The points are painted once for each size, scheme and choice; the drawing's mark on top. */
  #paint() {
    const context = this.canvas.getContext("2d");
    const side = this.canvas.width;
    context.clearRect(0, 0, side, side);
    if (!this.#points || !side) return;
    this.#surface ??= this.#dots(side);
    context.drawImage(this.#surface, 0, 0);
    if (this.#place) mark(context, ...this.#at(this.#place.x, this.#place.y, side), this.scheme());
  }

  #dots(side) {
    const surface = new OffscreenCanvas(side, side);
    const context = surface.getContext("2d");
    const { x, y, label, labels } = this.#points;
    const colours = classColours(labels.length, this.scheme());
    const radius = DOT * devicePixelRatio;
    context.globalAlpha = 0.75;
    for (let i = 0; i < x.length; i += 1) {
      if (this.#only !== null && label[i] !== this.#only) continue;
      context.fillStyle = colours[label[i]];
      context.beginPath();
      context.arc(...this.#at(x[i], y[i], side), radius, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    this.#names(context, side);
    return surface;
  }

  /** Each class is named at the middle of its points. */
  #names(context, side) {
    const { x, y, label, labels } = this.#points;
    const ink = this.scheme() === "dark" ? ["#f3f0eb", "#141311"] : ["#211f1c", "#faf8f5"];
    const size = Math.max(11, Math.min(17, 240 / labels.length)) * devicePixelRatio;
    Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round" });
    Object.assign(context, { fillStyle: ink[0], strokeStyle: ink[1], lineWidth: size / 4 });
    context.font = `600 ${size}px system-ui, sans-serif`;
    labels.forEach((text, number) => {
      if (this.#only !== null && this.#only !== number) return;
      const own = x.flatMap((value, i) => (label[i] === number ? [[value, y[i]]] : []));
      if (!own.length) return;
      const at = this.#at(middle(own.map(([a]) => a)), middle(own.map(([, b]) => b)), side);
      context.strokeText(text, ...at);
      context.fillText(text, ...at);
    });
  }

  #at(x, y, side) {
    const room = 0.96 * side;
    return [side / 2 + (x * room) / 2, side / 2 - (y * room) / 2];
  }

  #legend() {
    const { labels = [] } = this.#points ?? {};
    const colours = classColours(labels.length, this.scheme());
    this.classes.replaceChildren(
      ...labels.map((label, number) => {
        const dot = element("i");
        dot.style.background = colours[number];
        const button = element(
          "button",
          { type: "button", "aria-pressed": String(this.#only === number) },
          dot,
          label,
        );
        button.addEventListener("click", () => {
          this.#only = this.#only === number ? null : number;
          this.repaint();
          this.classes.children[number].focus();
        });
        return button;
      }),
    );
  }

  #list() {
    const near = this.#place?.neighbours ?? [];
    this.nearTitle.hidden = !this.#points;
    this.near.replaceChildren(
      ...near.map(({ label, answer, image }) =>
        element(
          "li",
          {},
          image ? element("img", { src: `${image}?scale=4`, alt: `A ${label}` }) : "",
          element("span", {}, label === answer ? label : `${label}, read as ${answer}`),
        ),
      ),
    );
    if (this.#points && !near.length) {
      this.near.append(element("li", { class: "quiet" }, "Draw something: it is placed on the map."));
    }
  }

  #point({ clientX, clientY }) {
    const hit = this.#points && this.#nearest(clientX, clientY);
    this.card.hidden = !hit;
    if (!hit) return;
    const { index, label, answer, left, top } = hit;
    const source = `/v1/models/${encodeURIComponent(this.#points.ref)}/images/${index}.png?scale=4`;
    const text = label === answer ? label : `${label}, read as ${answer}`;
    const picture = this.card.querySelector("img") ?? element("img", { alt: "" });
    if (picture.getAttribute("src") !== source) picture.src = source;
    this.card.replaceChildren(picture, element("figcaption", {}, `${text} · test image ${index}`));
    const box = this.canvas.getBoundingClientRect();
    const { width, height } = this.card.getBoundingClientRect();
    const x = Math.min(box.width - width - 4, Math.max(4, left + 14));
    const y = Math.min(box.height - height - 4, Math.max(4, top + 14));
    Object.assign(this.card.style, { left: `${x}px`, top: `${y}px` });
  }

  #nearest(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const [px, py] = [clientX - box.left, clientY - box.top];
    const { x, y, index, label, answer, labels } = this.#points;
    let best = { away: NEAR };
    for (let i = 0; i < x.length; i += 1) {
      if (this.#only !== null && label[i] !== this.#only) continue;
      const [left, top] = this.#at(x[i], y[i], box.width);
      const away = Math.hypot(left - px, top - py);
      if (away < best.away) best = { away, i, left, top };
    }
    if (best.i === undefined) return null;
    const { i, left, top } = best;
    return { index: index[i], label: labels[label[i]], answer: labels[answer[i]], left, top };
  }
}

/** The drawing: a ring that is seen on every colour. */
function mark(context, x, y, scheme) {
  const size = 9 * devicePixelRatio;
  const [inner, outer] = scheme === "dark" ? ["#f3f0eb", "#141311"] : ["#211f1c", "#faf8f5"];
  for (const [colour, width] of [[outer, 6], [inner, 2.5]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width * devicePixelRatio });
    context.beginPath();
    context.arc(x, y, size, 0, 7);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * size, y + dy * size);
      context.lineTo(x + dx * size * 1.9, y + dy * size * 1.9);
    }
    context.stroke();
  }
}

function middle(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
