/**
 * One layer on the page: its name, its range, and a sheet of tiles that can be pointed at, walked
 * with the arrow keys and chosen.
 *
 *   events: "choose" and "point", both bubbling, with detail {layer, unit, box}
 */

import { count, short } from "/pad/number.js";
import { arrange, hit, paint, place } from "/pad/tiles.js";

/** Keeps the line's height, so that nothing moves when the first drawing is answered. */
const NOTHING = "\u00a0";

export class Strip {
  #maps = null;
  #stale = true;
  #seen = false;
  #sheet = null;
  #active = 0;
  #selected = -1;

  /** @param own what is its own where it shows no maps: {id, about, legend(shown), paint} */
  constructor(layer, scheme, labels, own = {}) {
    this.layer = layer;
    this.own = { id: "strip", about: about(layer), legend, paint, ...own };
    this.labels = layer.output_shape[0] === labels?.length ? labels : null;
    this.scheme = scheme;
    this.element = document.createElement("section");
    this.element.className = "strip";
    this.element.append(...this.#build());
    this.#listen();
  }

  show(maps) {
    this.#maps = maps;
    this.range.replaceChildren(...(maps ? this.own.legend(maps) : [NOTHING]));
    this.refresh();
  }

  /** Paints now if it can be seen, else when it comes into sight. */
  refresh() {
    this.#stale = true;
    if (this.#seen) this.#paint();
  }

  set seen(seen) {
    this.#seen = seen;
    if (seen && this.#stale) this.#paint();
  }

  resize() {
    const width = this.sheet.parentElement.clientWidth;
    if (!width) return;
    this.#sheet = arrange(this.layer.output_shape, width, devicePixelRatio);
    this.sheet.style.height = `${this.#sheet.height}px`;
    this.sheet.style.width = `${this.#sheet.width}px`;
    this.#frame(this.chosen, this.#selected);
    this.#label();
    this.refresh();
  }

  /** @param {number} unit -1 for none */
  select(unit) {
    this.#selected = unit;
    if (unit >= 0) this.#active = unit;
    this.#frame(this.chosen, unit);
    this.#describe();
  }

  focus() {
    this.sheet.focus({ preventScroll: true });
  }

  #build() {
    const head = element("header", "strip-head");
    const name = element("h3");
    const parts = this.layer.name.split(".");
    name.append(element("span", "quiet", parts.slice(0, -1).map((p) => `${p}.`).join("")), parts.at(-1));
    this.range = element("p", "range", NOTHING);
    head.append(name, element("p", "quiet", this.own.about), this.range);
    this.sheet = element("div", "sheet");
    this.canvas = element("canvas");
    this.pointed = element("div", "ring");
    this.chosen = element("div", "ring chosen");
    this.option = element("div", "unseen");
    this.pointed.hidden = true;
    this.chosen.hidden = true;
    this.sheet.append(this.canvas, this.pointed, this.chosen, this.option);
    this.#name();
    this.legend = element("div", "legend");
    this.legend.setAttribute("aria-hidden", "true");
    const room = element("div", "room");
    room.append(this.sheet, this.legend);
    return [head, room];
  }

  /** The classes under their logits, where each is one letter and all are in one row. */
  #label() {
    const fits = this.labels?.every((label) => label.length === 1) && this.#sheet.rows === 1;
    const { tile, gap } = this.#sheet;
    this.legend.style.setProperty("--cell", `${tile[0] + gap}px`);
    this.legend.replaceChildren(
      ...(fits ? this.labels : []).map((label) => element("span", "", label)),
    );
  }

  /** A listbox with a single option: the one that the keys stand on. */
  #name() {
    const id = `${this.own.id}-${this.layer.name}`;
    this.option.id = `${id}-option`;
    this.option.setAttribute("role", "option");
    this.canvas.setAttribute("aria-hidden", "true");
    this.sheet.tabIndex = 0;
    this.sheet.setAttribute("role", "listbox");
    this.sheet.setAttribute("aria-label", `${this.layer.name}, ${this.#noun(this.layer.units)}`);
    this.sheet.setAttribute("aria-activedescendant", this.option.id);
    this.#describe();
  }

  #noun(n) {
    return count(n, this.layer.spatial ? "channel" : "unit");
  }

  #describe() {
    const { units, name, spatial } = this.layer;
    const label = this.labels ? `, ${this.labels[this.#active]}` : "";
    this.option.setAttribute("aria-posinset", this.#active + 1);
    this.option.setAttribute("aria-setsize", units);
    this.option.setAttribute("aria-selected", this.#active === this.#selected);
    this.option.textContent = `${name}, ${spatial ? "channel" : "unit"} ${this.#active}${label}`;
  }

  #listen() {
    const on = (name, act) => this.sheet.addEventListener(name, act);
    on("pointermove", (event) => this.#point(this.#under(event)));
    on("pointerleave", () => this.#point(-1));
    on("click", (event) => this.#choose(this.#under(event)));
    on("keydown", (event) => this.#key(event));
    on("focus", () => this.sheet.matches(":focus-visible") && this.#point(this.#active));
    on("blur", () => this.#point(-1));
  }

  #under({ clientX, clientY }) {
    const box = this.sheet.getBoundingClientRect();
    return hit(this.#sheet, this.layer.units, clientX - box.left, clientY - box.top);
  }

  #key(event) {
    const { columns } = this.#sheet;
    const last = this.layer.units - 1;
    const at = this.#active;
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
      Home: 0, End: last,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(at);
    else if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (to >= 0 && to <= last) this.#walk(to);
    event.preventDefault();
  }

  #walk(unit) {
    this.#active = unit;
    this.#describe();
    this.#point(unit);
  }

  #choose(unit) {
    if (unit < 0) return;
    this.#active = unit;
    this.#tell("choose", unit);
  }

  #point(unit) {
    this.#frame(this.pointed, unit);
    this.#tell("point", unit);
  }

  #tell(name, unit) {
    const box = unit < 0 ? null : this.pointed.getBoundingClientRect();
    const detail = { layer: this.layer, unit, box, maps: this.#maps, label: this.labels?.[unit] };
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }

  #frame(ring, unit) {
    ring.hidden = unit < 0 || !this.#sheet;
    if (ring.hidden) return;
    const [x, y] = place(this.#sheet, unit);
    const [width, height] = this.#sheet.tile;
    Object.assign(ring.style, { left: `${x}px`, top: `${y}px` });
    Object.assign(ring.style, { width: `${width}px`, height: `${height}px` });
  }

  #paint() {
    if (!this.#sheet) return;
    this.#stale = false;
    const { canvas, layer, scheme, own } = this;
    own.paint(canvas, this.#sheet, layer.output_shape, this.#maps, scheme(), devicePixelRatio);
  }
}

function about({ kind, output_shape: [units, ...size], spatial }) {
  const shape = spatial ? `${units} × ${size.join(" × ")}` : `${units}`;
  return `${kind.replaceAll("_", " ")} · ${shape}`;
}

/** Which colours its values have: lowest, ramp, highest. */
const legend = (maps) => {
  const own = maps.spanned === "unit" && maps.shape.length > 1;
  const { low, high } = maps.extent(0);
  const [from, to] = own ? ["lowest", "highest"] : [short(low), short(high)];
  return [element("span", "", from), element("i", "ramp"), element("span", "", to)];
};

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
