/**
 * One maximisation, from the asking to the picture.
 *
 *   const job = new Job({model, layer, unit, settings}, {progress, frame, done, failed})
 *   job.stop()      forget it, and cancel it at the service if it still runs
 *
 *   progress({status, step, steps, position})
 *   frame({step, steps, image})     the address of a small picture
 *   done(job, result), failed(message)
 */

import * as api from "/pad/api.js";

const RESTARTS = 3;
const AGAIN_MS = 1000;
const ENDS = ["done", "failed", "cancelled"];

export class Job {
  #stop = new AbortController();
  #id = null;
  #over = false;

  constructor(asked, tell) {
    this.#run(asked, tell);
  }

  stop() {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    // Whoever shares the picture asks again; a job nobody waits for only costs.
    if (this.#id && !this.#over) api.cancel(this.#id).catch(() => {});
  }

  async #run(asked, tell) {
    const { signal } = this.#stop;
    try {
      let job = await this.#follow(asked, tell);
      // Cancelled by whoever looked at it before us, while we came: it is ours to start again.
      for (let again = RESTARTS; again && job.status === "cancelled" && !signal.aborted; again -= 1) {
        job = await this.#follow(asked, tell);
      }
      if (signal.aborted) return;
      if (job.status === "done") tell.done(job, job.results.find((one) => one.unit === asked.unit));
      else tell.failed(job.error ?? "The maximisation was cancelled.");
    } catch (error) {
      if (!signal.aborted) tell.failed(error.message);
    }
  }

  async #follow(asked, tell) {
    const { signal } = this.#stop;
    let job = await this.#start(asked);
    while (!this.#over && !signal.aborted) {
      tell.progress(job);
      job = this.#note((await this.#watch(asked, tell)) ?? (await this.#look()));
    }
    return job;
  }

  /** Not aborted halfway: the service would go on with a job whose name nobody knows. */
  async #start({ model, layer, unit, settings }) {
    const job = this.#note(await api.maximise(model, layer, unit, settings));
    if (this.#stop.signal.aborted && !this.#over) await api.cancel(job.id);
    return job;
  }

  /**
   * The job's document when it is over, or null where the stream broke for good. A stream that is
   * cut off, also by a service that starts again, the browser takes up where it was.
   */
  #watch({ unit }, { progress, frame }) {
    const { signal } = this.#stop;
    const stream = api.watch(this.#id);
    return new Promise((resolve) => {
      const end = (job) => (stream.close(), resolve(job));
      const on = (name, act) => stream.addEventListener(name, ({ data }) => act(JSON.parse(data)));
      on("progress", progress);
      on("frame", ({ images, ...place }) => {
        const found = images.find((one) => one.unit === unit);
        if (found) frame({ ...place, image: found.image });
      });
      for (const name of ENDS) on(name, end);
      stream.addEventListener("error", () => stream.readyState === EventSource.CLOSED && end(null));
      signal.addEventListener("abort", () => end(null), { once: true });
    });
  }

  async #look() {
    const { signal } = this.#stop;
    await pause(AGAIN_MS, signal);
    return signal.aborted ? { id: this.#id } : api.maximisation(this.#id, signal);
  }

  #note(job) {
    this.#id = job.id;
    this.#over = ENDS.includes(job.status);
    return job;
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
