/**
 * How a unit came to be: what it looked for at epochs of the training, and the test image that drove
 * it most then. Only versions that carry snapshots have a past.
 *
 *   const past = new Past(details)
 *   past.show(model, layer, unit)   a model as the page knows it; asked for once it is opened
 *   past.clear()
 */

import * as api from "/pad/api.js";
import { element } from "/pad/element.js";
import { Job } from "/pad/job.js";
import { short } from "/pad/number.js";

export class Past {
  #asked = null;
  #stop = new AbortController();
  #job = null;

  constructor(part) {
    this.part = part;
    this.list = element("ol", { class: "stages" });
    this.state = element("p", { class: "quiet", role: "status" });
    part.replaceChildren(
      element("summary", {}, element("span", { class: "quiet" }, "How it came to be")),
      this.state,
      this.list,
    );
    part.addEventListener("toggle", () => part.open && this.#load());
  }

  show(model, layer, unit) {
    this.clear();
    this.part.hidden = !model.epochs?.length;
    if (this.part.hidden) return;
    this.#asked = { model: model.name, layer, unit };
    if (this.part.open) this.#load();
  }

  clear() {
    this.#stop.abort();
    this.#job?.stop();
    this.#job = this.#asked = null;
    this.list.replaceChildren();
    this.state.textContent = "";
    this.part.hidden = true;
  }

  async #load() {
    const asked = this.#asked;
    if (!asked || this.list.childElementCount) return;
    const { signal } = (this.#stop = new AbortController());
    this.state.textContent = "Looking back";
    try {
      const found = await api.evolution(asked.model, asked.layer, asked.unit, signal);
      if (signal.aborted) return;
      this.state.textContent =
        "What it looked for at each epoch; below, the test image that drove it most then, and how strongly.";
      const shown = found.stages.map((stage) => [stage, stageOf(stage)]);
      this.list.replaceChildren(...shown.map(([, one]) => one.element));
      for (const [stage, one] of shown) {
        await this.#draw(asked, stage.epoch, one);
        if (signal.aborted) return;
      }
    } catch (error) {
      if (!signal.aborted) this.state.textContent = error.message;
    }
  }

  /** One after the other, so that few streams are open at once. */
  #draw({ model, layer, unit }, epoch, { image, frame }) {
    return new Promise((resolve) => {
      const end = (text) => (frame.append(text), resolve());
      const settings = epoch === null ? {} : { epoch };
      this.#job = new Job(
        { model, layer, unit, settings },
        {
          progress: () => {},
          frame: ({ image: address }) => Object.assign(image, { src: address, hidden: false }),
          done: (_, result) => {
            if (result.dead) return end("dead");
            Object.assign(image, { src: `${result.image}?scale=2`, hidden: false });
            resolve();
          },
          failed: end,
        },
      );
      this.#stop.signal.addEventListener("abort", resolve, { once: true });
    });
  }
}

function stageOf({ epoch, highest, top: [best] }) {
  const when = epoch === null ? "published" : `epoch ${epoch}`;
  const image = element("img", { alt: `What it looked for, ${when}`, hidden: true });
  const frame = element("div", { class: "then" }, image);
  const liked = best
    ? [element("img", { src: `${best.image}?scale=2`, alt: `A ${best.label}, test image ${best.index}` })]
    : [];
  return {
    image,
    frame,
    element: element("li", {}, frame, ...liked, element("span", {}, when), element("span", { class: "quiet" }, short(highest))),
  };
}
