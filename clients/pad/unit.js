/**
 * The panel of one channel: its map for the present drawing beside the picture that drives it most.
 *
 *   events: "close", and "step" with detail -1 or 1
 */

import { Film } from "/pad/film.js";
import { Job } from "/pad/job.js";
import { Method } from "/pad/method.js";
import { statistics } from "/pad/maps.js";
import { count, short } from "/pad/number.js";
import * as score from "/pad/score.js";
import { paintOne } from "/pad/tiles.js";

/** Walking past a channel does not start its maximisation; resting on it does. */
const REST_MS = 180;

const PICTURE_SCALE = 8;

export class Unit extends EventTarget {
  #part;
  #scheme;
  #shown = null;
  #job = null;
  #timer = 0;
  #maps = null;
  #result = null;
  #film;

  constructor(part, scheme) {
    super();
    this.#part = part;
    this.#scheme = scheme;
    this.method = new Method(part.method);
    this.method.addEventListener("change", () => this.#again());
    this.#film = new Film(part.film, (frame, step) => this.#still(frame, step));
    const click = (name, act) => part[name].addEventListener("click", act);
    click("close", () => this.#tell("close"));
    click("previous", () => this.#tell("step", -1));
    click("next", () => this.#tell("step", 1));
    click("again", () => this.#maximise());
  }

  /** {model, layer, unit}, or null when the panel is closed. */
  get shown() {
    return this.#shown;
  }

  /** @param shown {model, layer (as the service describes it), unit, label, href} */
  open(shown, maps) {
    this.#stop();
    this.#shown = shown;
    this.#result = null;
    this.#title(shown);
    this.#part.panel.hidden = false;
    this.draw(maps);
    this.#waiting("");
    this.#timer = setTimeout(() => this.#maximise(), REST_MS);
  }

  close() {
    this.#stop();
    this.#shown = null;
    this.#part.panel.hidden = true;
  }

  focus() {
    this.#part.title.focus({ preventScroll: true });
  }

  /** The maps of another drawing, or null for none. */
  draw(maps) {
    this.#maps = maps;
    if (!this.#shown) return;
    const { map, mapCaption } = this.#part;
    map.hidden = !maps;
    mapCaption.textContent = maps ? "Your drawing" : "Your drawing: draw something";
    if (maps) paintOne(map, maps, this.#shown.unit, this.#scheme());
    this.#number();
    this.#measure();
  }

  /** A unit without positions has no map: its one colour shows its one number. */
  #number() {
    const { layer, unit } = this.#shown;
    const flat = this.#maps && !layer.spatial;
    const { mean, share } = flat ? statistics(this.#maps, unit) : {};
    this.#part.value.textContent = flat ? short(mean) : "";
    this.#part.value.classList.toggle("high", share > 0.5);
  }

  #title({ layer, unit, label, href }) {
    const { title, about, link, previous, next } = this.#part;
    title.textContent = `${layer.name} · ${layer.spatial ? "channel" : "unit"} ${unit}`;
    about.textContent = label ? `the class “${label}”` : `of ${layer.units}`;
    link.href = href;
    previous.disabled = unit === 0;
    next.disabled = unit === layer.units - 1;
  }

  /** The same unit by another method. */
  #again() {
    if (!this.#shown) return;
    this.#stop();
    this.#result = null;
    this.#measure();
    this.#maximise();
  }

  #maximise() {
    const { model, layer, unit } = this.#shown;
    if (!layer.maximise) return this.#failed("This layer only drops values: nothing to maximise.");
    this.#waiting("Starting");
    const asked = { model, layer: layer.name, unit, settings: this.method.settings };
    this.#job = new Job(asked, {
      progress: (place) => this.#progress(place),
      frame: (frame) => this.#frame(frame),
      done: (job, result) => this.#done(job, result),
      failed: (message) => this.#failed(message, true),
    });
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#job?.stop();
    this.#job = null;
  }

  #waiting(text) {
    const { picture, live, progress, status, save, again, frame } = this.#part;
    for (const part of [picture, live, save, again]) part.hidden = true;
    frame.classList.remove("live");
    progress.hidden = false;
    progress.value = 0;
    status.textContent = text;
    status.classList.remove("bad");
    this.#film.clear();
  }

  #progress({ step, steps, status, position }) {
    this.#part.progress.value = step / Math.max(1, steps);
    this.#part.status.textContent = status === "queued" ? waits(position) : `Step ${step} of ${steps}`;
  }

  /** The picture as it is so far. */
  async #frame({ step, steps, image: address }) {
    const job = this.#job;
    const image = new Image();
    image.src = address;
    await image.decode();
    if (this.#job !== job || this.#result) return;
    const { live, frame } = this.#part;
    paint(live, image, image.naturalWidth, image.naturalHeight);
    live.hidden = false;
    frame.classList.add("live");
    this.#progress({ step, steps });
    this.#film.add(step, steps, image);
  }

  async #done(job, result) {
    const shown = this.#shown;
    const { picture, live, progress, status, save, frame } = this.#part;
    picture.src = `${result.image}?scale=${PICTURE_SCALE}`;
    const { layer, unit } = shown;
    picture.alt = result.dead
      ? `Empty: ${layer.name}, ${unit} is dead`
      : `The image that drives ${layer.name}, ${unit} most`;
    const mine = this.#job;
    const drawn = await picture.decode().then(() => true, () => false);
    if (this.#job !== mine) return;
    if (!drawn) return this.#failed("The picture could not be loaded.", true);
    this.#result = result;
    progress.hidden = true;
    live.hidden = true;
    frame.classList.remove("live");
    frame.classList.toggle("dead", result.dead);
    status.textContent = result.dead ? "Dead" : "";
    picture.hidden = result.dead;
    save.hidden = result.dead;
    save.href = `${result.image}?scale=16`;
    save.download = `${shown.model}-${layer.name}-${unit}.png`;
    if (result.film && !result.dead) this.#film.load(result.film, job.frames);
    else this.#film.clear();
    this.#measure();
  }

  /** A frame of the film in place of the picture, or the picture again. */
  #still(canvas, step) {
    const { live, picture, pictureCaption } = this.#part;
    const dead = this.#result?.dead;
    if (canvas) paint(live, canvas, canvas.width, canvas.height);
    live.hidden = !canvas;
    picture.hidden = Boolean(canvas) || dead;
    pictureCaption.textContent = canvas ? `After ${count(step, "step")}` : "What it looks for";
  }

  #failed(message, retry = false) {
    const { progress, status, again, live, frame } = this.#part;
    progress.hidden = true;
    live.hidden = true;
    frame.classList.remove("live");
    status.textContent = message;
    status.classList.add("bad");
    again.hidden = !retry;
  }

  /** Drawing, data set and picture on one scale: how strongly the channel answered each at best. */
  #measure() {
    const result = this.#result;
    const drawing = this.#maps ? statistics(this.#maps, this.#shown.unit).high : null;
    const rows = [
      ["Your drawing", drawing, "first"],
      ["Best test image", result?.dataset_max ?? null, ""],
      ["This picture", result && !result.dead ? result.activation : null, ""],
    ].filter(([, value]) => value !== null);
    const top = Math.max(...rows.map(([, value]) => value), 1e-9);
    this.#part.measures.replaceChildren(...rows.flatMap((row) => measure(...row, top)));
    this.#part.verdict.textContent = verdict(result, this.#shown.layer);
    score.show(this.#part.score, result);
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function waits(position) {
  if (!position) return "Waiting for its turn";
  return `Waiting: ${position} before it`;
}

function paint(canvas, image, width, height) {
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0);
}

function verdict(result, { spatial }) {
  if (!result) return "";
  const noun = spatial ? "channel" : "unit";
  if (result.dead) return `This ${noun} is dead: no image makes it answer, so there is nothing to show.`;
  return `The strongest answer of this ${noun} to each.`;
}

function measure(name, value, className, top) {
  const term = document.createElement("dt");
  term.textContent = name;
  const number = document.createElement("dd");
  number.className = className;
  number.textContent = short(value);
  number.style.setProperty("--share", Math.max(0, value / top));
  return [term, number];
}
