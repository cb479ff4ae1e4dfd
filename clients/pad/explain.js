/**
 * Why this answer: where in the drawing the network found what speaks for a class, and what against.
 *
 * The chosen method is asked as soon as the pen is lifted, then the others, for the small pictures
 * that they are chosen by.
 */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { tell } from "/pad/fault.js";
import { Fooled } from "/pad/fooled.js";
import { gradient, heatOf, lightness, overlay } from "/pad/heat.js";
import { Newest, busyIn } from "/pad/newest.js";
import { short } from "/pad/number.js";

export class Explain {
  #model = null;
  #methods = [];
  #method = null;
  #source = null;
  #shown = false;
  #found = new Map();
  #light = null;
  #stale = true;
  #ask;

  /** @param trouble called with an error that is not the drawing's fault */
  constructor(panel, { scheme, trouble }) {
    Object.assign(this, { panel, scheme, trouble });
    this.#ask = new Newest((question, signal) => this.#work(question, signal), { busy: busyIn(panel) });
    this.#build();
    this.fooled = new Fooled(this.extra, { scheme, trouble });
  }

  async model(model) {
    this.#model = model;
    this.#methods = [];
    this.#forget();
    const labels = model.labels.map((label) => element("option", { value: label }, label));
    this.target.replaceChildren(element("option", { value: "" }, "its answer"), ...labels);
    this.fooled.model(model);
    if (this.#shown) await this.#prepare();
  }

  draw(source) {
    this.#source = source;
    this.#forget();
    this.fooled.draw(source);
    this.panel.classList.toggle("blank", !source);
    this.#go();
  }

  async show(now) {
    this.#shown = now;
    if (now) await this.#prepare();
    else this.#ask.forget();
  }

  /** In the colours of another scheme. */
  repaint() {
    this.ramp.style.background = gradient(this.scheme());
    this.#paint();
    this.fooled.repaint();
  }

  #build() {
    this.canvas = element("canvas", { role: "img", width: 28, height: 28 });
    this.target = element("select", { "aria-label": "Class to explain" });
    this.about = element("p", { class: "quiet about" });
    this.state = element("p", { class: "state", role: "status" });
    this.ramp = element("i", { class: "signed" });
    this.low = element("span");
    this.high = element("span");
    this.choice = element("div", { class: "methods", role: "radiogroup", "aria-label": "Method" });
    this.extra = element("section", { class: "fooled" });
    this.panel.replaceChildren(
      element(
        "div",
        { class: "explained" },
        element(
          "figure",
          { class: "heat" },
          element("div", { class: "frame" }, this.canvas, this.state),
          element("figcaption", { class: "key" }, this.low, this.ramp, this.high),
        ),
        element(
          "div",
          { class: "asked" },
          element("label", { class: "target" }, "What speaks for ", this.target),
          this.choice,
          this.about,
        ),
      ),
      this.extra,
    );
    this.ramp.style.background = gradient(this.scheme());
    this.target.addEventListener("change", () => {
      this.#forget();
      this.#go();
    });
  }

  async #prepare() {
    if (!this.#methods.length) {
      try {
        const { methods, default: first } = await api.attributionMethods(this.#model.name);
        this.#methods = methods;
        if (!methods.some(({ name }) => name === this.#method)) this.#method = first;
      } catch (error) {
        return this.trouble(error);
      }
      this.choice.replaceChildren(...this.#methods.map((method) => this.#tile(method)));
      this.#mark();
    }
    this.#go();
  }

  #tile(method) {
    const input = element("input", { type: "radio", name: "method", value: method.name });
    const canvas = element("canvas", { width: 28, height: 28, "aria-hidden": "true" });
    input.addEventListener("change", () => {
      this.#method = method.name;
      this.#mark();
      this.#go();
    });
    return element("label", { title: `${method.about} ${method.source}` }, input, canvas, element("span", {}, method.title));
  }

  #mark() {
    for (const input of this.choice.querySelectorAll("input")) {
      input.checked = input.value === this.#method;
    }
    const chosen = this.#methods.find(({ name }) => name === this.#method);
    this.about.textContent = chosen ? `${chosen.about} (${chosen.source})` : "";
    this.#paint();
  }

  #forget() {
    this.#ask.forget();
    this.#stale = true;
  }

  /** Old pictures stay until the first new one is there, so that nothing flickers. */
  #go() {
    if (!this.#source) {
      this.#found.clear();
      this.#light = null;
      return this.#paint();
    }
    this.#paint();
    if (!this.#shown || !this.#methods.length) return;
    const target = this.target.value || null;
    this.#ask.ask({ source: this.#source, model: this.#model.name, target, first: this.#method }, true);
  }

  async #work({ source, model, target, first }, signal) {
    const rest = this.#methods.map(({ name }) => name).filter((name) => name !== first);
    try {
      for (const method of [first, ...rest]) {
        if (!this.#stale && this.#found.has(method)) continue;
        const found = await api.attribution(model, source, { method, target }, signal);
        if (signal.aborted) return;
        if (this.#stale) {
          this.#found.clear();
          this.#light = await lightness(found.input.png);
          this.#stale = false;
        }
        this.#found.set(method, { ...found, heat: heatOf(found.map) });
        this.#paint();
      }
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
  }

  #failed(error) {
    this.#found.clear();
    this.#paint();
    tell(error, this.state, this.trouble);
  }

  #paint() {
    const found = this.#found.get(this.#method);
    const waiting = this.#source ? "Working it out" : "Draw something to see what decides the answer.";
    this.state.textContent = found ? "" : waiting;
    this.canvas.hidden = !found;
    this.low.textContent = found ? `against ${found.target.label}: ${short(-found.heat.most)}` : "against";
    this.high.textContent = found ? `for ${found.target.label}: ${short(found.heat.most)}` : "for";
    if (found) {
      overlay(this.canvas, found.heat, this.#light, this.scheme());
      this.canvas.setAttribute("aria-label", spoken(found, this.#methods));
    }
    for (const label of this.choice.children) {
      const one = this.#found.get(label.querySelector("input").value);
      const canvas = label.querySelector("canvas");
      canvas.classList.toggle("empty", !one);
      if (one) overlay(canvas, one.heat, this.#light, this.scheme());
    }
  }
}

function spoken({ method, target, heat: { values, width, height } }, methods) {
  const title = methods.find(({ name }) => name === method)?.title ?? method;
  const at = values.indexOf(Math.max(...values));
  const down = ["top", "middle", "bottom"][Math.floor((3 * Math.floor(at / width)) / height)];
  const across = ["left", "middle", "right"][Math.floor((3 * (at % width)) / width)];
  return `${title}: what speaks for ${target.label} most lies at the ${down} ${across}.`;
}
