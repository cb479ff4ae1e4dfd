/** What the network says: the image it saw, its first choice, and the runners-up as bars. */

import { percent } from "/pad/number.js";

export const TOP = 5;

export class Answer {
  #bars = new Map();
  #last = "";
  #turn = 0;

  constructor(part) {
    this.part = part;
  }

  /** The labels of another model: wide enough a column for the longest. */
  prepare(labels) {
    const widest = Math.max(...labels.map((label) => label.length));
    this.part.bars.style.setProperty("--label", `${Math.min(widest, 12) + 0.5}ch`);
    this.part.answer.classList.toggle("wordy", widest > 2);
    this.clear();
  }

  clear() {
    this.part.answer.classList.add("blank");
    for (const name of ["headline", "sure", "note", "spoken"]) this.part[name].textContent = "";
    this.#last = "";
    this.#turn += 1;
    this.#drop(new Set());
    this.part.sight.getContext("2d").clearRect(0, 0, 1e4, 1e4);
  }

  /** @param settled the pen is up: only then is the answer spoken */
  async show(prediction, settled) {
    const { label, confidence, in_distribution: known } = prediction;
    this.part.answer.classList.remove("blank");
    this.part.headline.textContent = label;
    this.part.sure.textContent = percent(confidence);
    this.part.note.textContent = known === false ? "This looks like none of mine." : "";
    this.#rank(prediction.top);
    if (settled) this.#speak(`${label}, ${percent(confidence)}. ${this.part.note.textContent}`);
    await this.#see(prediction.input);
  }

  /** The service's own words on why there is no answer. */
  refuse(message) {
    this.clear();
    this.part.note.textContent = message;
    this.#speak(message);
  }

  #speak(text) {
    if (text === this.#last) return;
    this.#last = text;
    this.part.spoken.textContent = text;
  }

  #rank(top) {
    this.#drop(new Set(top.map((one) => one.index)));
    top.forEach(({ index, label, probability }, rank) => {
      const bar = this.#bars.get(index) ?? this.#add(index, label);
      bar.style.setProperty("--rank", rank);
      bar.style.setProperty("--share", probability);
      bar.classList.toggle("first", rank === 0);
      bar.lastElementChild.textContent = percent(probability);
    });
    const sorted = top.map(({ index }) => this.#bars.get(index));
    // Reading order follows the rank; moving only what is out of place keeps its animation.
    sorted.forEach((bar, i) => {
      const there = this.part.bars.children[i];
      if (there !== bar) this.part.bars.insertBefore(bar, there);
    });
  }

  #add(index, label) {
    const bar = document.createElement("li");
    bar.innerHTML = '<span class="label"></span><span class="track"><i></i></span><span class="share"></span>';
    bar.firstElementChild.textContent = label;
    this.#bars.set(index, bar);
    this.part.bars.append(bar);
    return bar;
  }

  #drop(keep) {
    for (const [index, bar] of this.#bars) {
      if (keep.has(index)) continue;
      bar.remove();
      this.#bars.delete(index);
    }
  }

  async #see({ png, width, height }) {
    const turn = (this.#turn += 1);
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    if (turn !== this.#turn) return;
    Object.assign(this.part.sight, { width, height });
    this.part.sight.getContext("2d").drawImage(bitmap, 0, 0);
  }
}
