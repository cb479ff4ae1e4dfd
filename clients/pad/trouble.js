/** The service does not answer: said once, tried again by itself and by a button. */

const FIRST_MS = 2000;
const LONGEST_MS = 30000;

export class Trouble {
  #wait = FIRST_MS;
  #timer = 0;

  constructor(box, text, button, retry) {
    Object.assign(this, { box, text, retry });
    button.addEventListener("click", () => this.#again());
    addEventListener("online", () => this.#timer && this.#again());
  }

  show(message) {
    this.text.textContent = message;
    this.box.hidden = false;
    document.body.classList.add("cut-off");
    this.#timer ||= setTimeout(() => this.#again(), this.#wait);
  }

  over() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#wait = FIRST_MS;
    this.box.hidden = true;
    document.body.classList.remove("cut-off");
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#wait = Math.min(2 * this.#wait, LONGEST_MS);
    this.retry();
  }
}
