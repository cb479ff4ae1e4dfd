/**
 * One maximisation, from the asking to the picture.
 *
 *   const job = new Job(model, layer, unit, {progress, done, failed})
 *   job.stop()      forget it, and cancel it at the service if it still runs
 */

import * as api from "/pad/api.js";

const FIRST_WAIT_S = 1;
const POLL_MS = 250;
const RESTARTS = 3;

export class Job {
  #stop = new AbortController();
  #id = null;
  #over = false;

  constructor(model, layer, unit, tell) {
    this.#run(model, layer, unit, tell);
  }

  stop() {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    // Whoever shares the picture asks again; a job nobody waits for only costs.
    if (this.#id && !this.#over) api.cancel(this.#id).catch(() => {});
  }

  async #run(model, layer, unit, { progress, done, failed }) {
    const { signal } = this.#stop;
    try {
      let job = await this.#follow(model, layer, unit, progress);
      // Cancelled by whoever looked at it before us, while we came: it is ours to start again.
      for (let again = RESTARTS; again && job.status === "cancelled" && !signal.aborted; again -= 1) {
        job = await this.#follow(model, layer, unit, progress);
      }
      if (signal.aborted) return;
      if (job.status === "done") done(job.results.find((one) => one.unit === unit));
      else failed(job.error ?? "The maximisation was cancelled.");
    } catch (error) {
      if (!signal.aborted) failed(error.message);
    }
  }

  async #follow(model, layer, unit, progress) {
    const { signal } = this.#stop;
    let job = await this.#start(model, layer, unit);
    while (!this.#over && !signal.aborted) {
      progress(job.step, job.steps, job.status);
      await pause(POLL_MS, signal);
      job = this.#note(await api.maximisation(job.id, signal));
    }
    return job;
  }

  /** Not aborted halfway: the service would go on with a job whose name nobody knows. */
  async #start(model, layer, unit) {
    const job = this.#note(await api.maximise(model, layer, unit, FIRST_WAIT_S));
    if (this.#stop.signal.aborted && !this.#over) await api.cancel(job.id);
    return job;
  }

  #note(job) {
    this.#id = job.id;
    this.#over = ["done", "failed", "cancelled"].includes(job.status);
    return job;
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
