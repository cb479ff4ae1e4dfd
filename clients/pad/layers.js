/** Every layer of the network, one strip below the other. */

import { count, short } from "/pad/number.js";
import { statistics } from "/pad/maps.js";
import { Strip } from "/pad/strip.js";

export class Layers {
  #strips = new Map();
  #sight;
  #room;

  /** @param tip where the name and range of the tile under the pointer are shown */
  constructor({ scroll, strips, about, tip, scheme }) {
    Object.assign(this, { scroll, list: strips, about, tip, scheme });
    this.#sight = new IntersectionObserver((seen) => this.#see(seen), { rootMargin: "200px" });
    this.#room = new ResizeObserver(() => this.#each((strip) => strip.resize()));
    this.#room.observe(strips);
    strips.addEventListener("point", ({ detail }) => this.#hint(detail));
    scroll.addEventListener("scroll", () => this.#hint({ unit: -1 }), { passive: true });
  }

  /** The layers of another model; what is chosen is forgotten. */
  build(layers, labels) {
    this.#sight.disconnect();
    const strips = layers.map((layer) => new Strip(layer, this.scheme, labels));
    this.#strips = new Map(strips.map((strip) => [strip.layer.name, strip]));
    this.list.replaceChildren(...strips.map((strip) => strip.element));
    const channels = layers.reduce((sum, layer) => sum + layer.units, 0);
    const size = `${count(layers.length, "layer")}, ${count(channels, "channel")}.`;
    this.about.textContent = `${size} Choose one to see what it looks for.`;
    this.#each((strip) => strip.resize());
    this.#each((strip) => this.#sight.observe(strip.element));
  }

  get(name) {
    return this.#strips.get(name)?.layer ?? null;
  }

  get names() {
    return [...this.#strips.keys()];
  }

  label(name, unit) {
    return this.#strips.get(name)?.labels?.[unit] ?? null;
  }

  /** @param maps Map(layer -> Maps), or null when nothing is drawn */
  show(maps) {
    this.#each((strip) => strip.show(maps?.get(strip.layer.name) ?? null));
  }

  refresh() {
    this.#each((strip) => strip.refresh());
  }

  select(name, unit) {
    this.#each((strip) => strip.select(strip.layer.name === name ? unit : -1));
  }

  reveal(name) {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    this.#strips.get(name)?.element.scrollIntoView({ block: "nearest", behavior });
  }

  focus(name) {
    this.#strips.get(name)?.focus();
  }

  #each(act) {
    for (const strip of this.#strips.values()) act(strip);
  }

  #see(entries) {
    const of = new Map([...this.#strips.values()].map((strip) => [strip.element, strip]));
    for (const entry of entries) {
      const strip = of.get(entry.target);
      if (strip) strip.seen = entry.isIntersecting;
    }
  }

  #hint({ layer, unit, box, maps, label }) {
    this.tip.hidden = unit < 0;
    if (unit < 0) return;
    const name = `${layer.name} · ${layer.spatial ? "channel" : "unit"} ${unit}`;
    this.tip.textContent = [label ? `${name} (${label})` : name, maps && extent(layer, maps, unit)]
      .filter(Boolean)
      .join("\n");
    const { width, height } = this.tip.getBoundingClientRect();
    const left = Math.min(innerWidth - width - 8, Math.max(8, box.left + box.width / 2 - width / 2));
    const top = box.top - height - 8 < 4 ? box.bottom + 8 : box.top - height - 8;
    Object.assign(this.tip.style, { left: `${left}px`, top: `${top}px` });
  }
}

function extent(layer, maps, unit) {
  const { low, high } = statistics(maps, unit);
  return layer.spatial ? `min ${short(low)}   max ${short(high)}` : short(high);
}
