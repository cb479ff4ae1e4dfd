/**
 * The ways to look inside: one tab each, and the panel that belongs to it.
 *
 *   new Views(tablist, {layers: {title, panel}, explain: {title, panel, view}})
 *   event: "choose", with the name as detail
 *
 * A view has three methods, all optional: `model(model)` when another is looked at, `draw(source)`
 * when the pen is lifted (null for an empty paper), and `show(now)` when its tab is opened or left.
 */

import { element } from "/pad/element.js";

export class Views extends EventTarget {
  #tabs = new Map();
  #shown = null;

  constructor(list, views) {
    super();
    this.views = views;
    list.replaceChildren(...Object.entries(views).map(([name, view]) => this.#tab(name, view)));
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  get shown() {
    return this.#shown;
  }

  show(name) {
    if (name === this.#shown) return;
    const before = this.views[this.#shown];
    this.#shown = name;
    for (const [key, tab] of this.#tabs) {
      tab.setAttribute("aria-selected", key === name);
      tab.tabIndex = key === name ? 0 : -1;
      this.views[key].panel.hidden = key !== name;
    }
    this.#reveal(this.#tabs.get(name));
    before?.view?.show?.(false);
    this.views[name].view?.show?.(true);
  }

  model(model) {
    for (const { view } of Object.values(this.views)) view?.model?.(model);
  }

  draw(source) {
    for (const { view } of Object.values(this.views)) view?.draw?.(source);
  }

  #tab(name, { title, panel }) {
    const tab = element(
      "button",
      { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": panel.id },
      title,
    );
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => this.#choose(name));
    this.#tabs.set(name, tab);
    return tab;
  }

  /** Where the tabs have no room beside each other they scroll; the page stays where it is. */
  #reveal(tab) {
    const list = tab.parentElement;
    const [left, right] = [tab.offsetLeft - list.offsetLeft, tab.offsetLeft - list.offsetLeft + tab.offsetWidth];
    if (left < list.scrollLeft) list.scrollLeft = left;
    else if (right > list.scrollLeft + list.clientWidth) list.scrollLeft = right - list.clientWidth;
  }

  #key(event) {
    const names = [...this.#tabs.keys()];
    const at = names.indexOf(this.#shown);
    const to = {
      ArrowRight: (at + 1) % names.length,
      ArrowLeft: (at + names.length - 1) % names.length,
      Home: 0,
      End: names.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#choose(names[to]);
    this.#tabs.get(names[to]).focus();
  }

  #choose(name) {
    this.dispatchEvent(new CustomEvent("choose", { detail: name }));
  }
}
