/**
 * Runs one piece of work at a time. Of all that was asked for meanwhile only the newest runs next,
 * so an answer is never older than one round trip and requests never pile up.
 *
 *   const live = new Newest((value, signal) => Promise, {rest: 1, busy: (now) => {}})
 *   live.ask(value)          run it as soon as may be
 *   live.ask(value, true)    the last for now: run it without a rest
 *   live.forget()            stop what runs (its signal is aborted) and drop what waits
 *
 * `rest`: between two runs it pauses so many times as long as the last one took, which leaves a
 * slow machine room to breathe; and never shorter than a frame or two, should it fail at once.
 * `busy` is told true when something was asked for, and false when all of it is done; `busyIn(part)`
 * is one that says so of a part of the page.
 */

const LEAST_MS = 30;

export const busyIn = (part) => (now) => part.setAttribute("aria-busy", now);

export class Newest {
  #run;
  #rest;
  #busy;
  #stop = null;
  #waiting = null;
  #timer = 0;

  constructor(run, { rest = 1, busy = () => {} } = {}) {
    this.#run = run;
    this.#rest = rest;
    this.#busy = busy;
  }

  ask(value, last = false) {
    this.#waiting = { value, last };
    this.#busy(true);
    if (!this.#stop && (last || !this.#timer)) this.#next();
  }

  forget() {
    this.#stop?.abort();
    this.#stop = null;
    this.#waiting = null;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#busy(false);
  }

  async #next() {
    const { value } = this.#waiting;
    const stop = new AbortController();
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#waiting = null;
    this.#stop = stop;
    const start = performance.now();
    try {
      await this.#run(value, stop.signal);
    } finally {
      if (this.#stop === stop) this.#finish(performance.now() - start);
    }
  }

  #finish(took) {
    this.#stop = null;
    if (!this.#waiting) this.#busy(false);
    const pause = this.#waiting?.last ? 0 : Math.max(LEAST_MS, this.#rest * took);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (this.#waiting) this.#next();
    }, pause);
  }
}
