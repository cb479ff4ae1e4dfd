/**
 * What the service answers. Nothing else in the page calls fetch.
 *
 *   Problem      the service refused: `message` is its own wording, `status` the HTTP status,
 *                `seconds` when it may be asked again
 *   Unreachable  nobody answered
 */

import { parse } from "/pad/safetensors.js";

/** Between two looks at a job that is not watched. */
const LOOK_MS = 700;

export class Problem extends Error {
  constructor(status, message, seconds = 1) {
    super(message);
    this.status = status;
    this.seconds = seconds;
  }
}

export class Unreachable extends Error {}

let key = null;

/** `ask()` is called when the service wants a key; its promise is kept once one was taken. */
export const locked = (ask) => { key = ask; };

/** Hands a key in; from then on the browser sends it by itself. */
export const unlock = (given) =>
  send("/v1/session", {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ key: given }),
  });

/** @returns {Promise<Model[]>} those that can answer, with name, labels and accuracy */
export async function models() {
  const answer = await json("/v1/models");
  return answer.models;
}

/** {layers, epochs}: `epochs` are those whose snapshots the version carries. */
export const layers = (model, signal) => json(`${base(model)}/layers`, { signal });

/** The best `top` classes for a source, and the image that the network saw. */
export async function classify(model, source, top, signal) {
  const address = `${base(model)}/classify?top_k=${top}&include=input`;
  const answer = await json(address, post(source, signal));
  return answer.predictions[0];
}

/** @returns {Promise<Map<string, {shape: number[], values: Float32Array}>>} by layer */
export async function activations(model, source, signal) {
  const address = `${base(model)}/activations?format=safetensors`;
  const answer = await call(address, post(source, signal));
  return parse(await answer.arrayBuffer());
}

/** Methods by name, with their settings: {default, presets}. */
export const presets = () => json("/v1/presets");

/** Starts a maximisation, or finds the one that exists. */
export function maximise(model, layer, unit, settings) {
  return json(`${base(model)}/maximisations`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...settings, layer, units: [unit] }),
  });
}

/** What several units look for: Map(unit -> address). */
export async function pictures(model, layer, units, signal) {
  let job = await json(`${base(model)}/maximisations`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Prefer: "wait=5" },
    body: JSON.stringify({ layer, units: [...new Set(units)] }),
  });
  while (job.status === "queued" || job.status === "running") {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    job = await maximisation(job.id, signal);
  }
  return new Map(job.results.map(({ unit, image }) => [unit, image]));
}

/** A stream of what happens to it, with pictures on their way. */
export const watch = (id) => new EventSource(`/v1/maximisations/${id}/events?frames=true`);

export const maximisation = (id, signal) => json(`/v1/maximisations/${id}`, { signal });

/** `keepalive`, so that leaving the page still stops the work. */
export const cancel = (id) =>
  call(`/v1/maximisations/${id}`, { method: "DELETE", keepalive: true });

/** What the service can explain an answer by: {methods: [{name, title, about}], default}. */
export const attributionMethods = (model) => json(`${base(model)}/attributions`);

/** One source's: {target: {label, index}, map: rows of numbers, input: {png}}. */
export async function attribution(model, source, { method, target }, signal) {
  const asked = new URLSearchParams({ method, include: "input", ...(target && { target }) });
  const answer = await json(`${base(model)}/attributions?${asked}`, post(source, signal));
  return { method, ...answer.attributions[0] };
}

export async function adversarial(model, source, target, signal) {
  const asked = new URLSearchParams(target ? { target } : {});
  const answer = await json(`${base(model)}/adversarials?${asked}`, post(source, signal));
  return answer.adversarials[0];
}

/** The map of the test set, in columns: {labels, x, y, label, answer, index}. */
export async function embedding(model) {
  const answer = await json(`${base(model)}/embedding`);
  return { ...answer, ref: `${answer.model}@${answer.version}` };
}

export async function place(model, source, signal) {
  const answer = await json(`${base(model)}/embedding`, post(source, signal));
  return answer.places[0];
}

export const confusions = (model) => json(`${base(model)}/confusions`);

export const confusion = (model, truth, answer, signal) =>
  json(`${base(model)}/confusions/${truth}/${answer}`, { signal });

/** A layer's weights: PNG, a tile a unit with a pixel between two. */
export async function filters(model, layer, { show, range }, signal) {
  const asked = new URLSearchParams({ scale: 1, range, ...(show && { show }) });
  const address = `${base(model)}/layers/${encodeURIComponent(layer)}/filters.png?${asked}`;
  return (await call(address, { signal })).blob();
}

/** What a layer still knows of a source: {error, picture: {png}}. */
export async function inversion(model, source, layer, signal) {
  const asked = new URLSearchParams({ layer });
  const answer = await json(`${base(model)}/inversions?${asked}`, post(source, signal));
  return answer.inversions[0];
}

export const comparison = (model, other, signal) =>
  json(`${base(model)}/comparisons/${encodeURIComponent(other)}`, { signal });

export const evolution = (model, layer, unit, signal) =>
  json(`${base(model)}/layers/${encodeURIComponent(layer)}/units/${unit}/evolution`, { signal });

export const examples = (model, layer, unit, signal) =>
  json(`${base(model)}/layers/${encodeURIComponent(layer)}/units/${unit}/examples`, { signal });

const base = (model) => `/v1/models/${encodeURIComponent(model)}`;

/** A source is what is on the paper: {strokes} or {file}. */
function post(source, signal) {
  if (source.file) {
    const type = source.file.type || "application/octet-stream";
    return { method: "POST", headers: { "Content-Type": type }, body: source.file, signal };
  }
  const body = JSON.stringify({ inputs: [{ strokes: source.strokes }] });
  return { method: "POST", headers: { "Content-Type": "application/json" }, body, signal };
}

async function json(address, options) {
  const answer = await call(address, options);
  return answer.json();
}

async function call(address, options) {
  for (;;) {
    try {
      return await send(address, options);
    } catch (error) {
      if (error.status === 401 && key) await key();
      else if (error.status === 429) await pause(error.seconds, options?.signal);
      else throw error;
    }
  }
}

async function send(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The service does not answer.");
  }
  if (!answer.ok) throw await problem(answer);
  return answer;
}

async function problem(answer) {
  const document = await answer.json().catch(() => ({}));
  const message = document.detail || document.title || `The service answered ${answer.status}.`;
  return new Problem(answer.status, message, Number(answer.headers.get("Retry-After")) || 1);
}

/** What was replaced by something newer meanwhile is not asked again. */
function pause(seconds, signal) {
  return new Promise((done, fail) => {
    const leave = () => {
      clearTimeout(timer);
      fail(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", leave);
      done();
    }, seconds * 1000);
    signal?.addEventListener("abort", leave, { once: true });
  });
}
