/**
 * The page: what is drawn goes to the service while the pen moves, what it answers goes to its part.
 *
 *   drawing -> classify    -> Answer
 *           -> activations -> Layers, Unit
 *   hash    <-> model, layer, unit
 */

import * as api from "/pad/api.js";
import { Answer, TOP } from "/pad/answer.js";
import { stops } from "/pad/colour.js";
import { Drawing } from "/pad/drawing.js";
import { openImages } from "/pad/images.js";
import { Layers } from "/pad/layers.js";
import * as link from "/pad/link.js";
import { fromTensors } from "/pad/maps.js";
import * as switcher from "/pad/models.js";
import { Newest } from "/pad/newest.js";
import { Paper } from "/pad/paper.js";
import { Trouble } from "/pad/trouble.js";
import { Unit } from "/pad/unit.js";

const $ = (id) => document.getElementById(id);
const parts = (ids) => Object.fromEntries(Object.entries(ids).map(([key, id]) => [key, $(id)]));
const dark = matchMedia("(prefers-color-scheme: dark)");
const scheme = () => (dark.matches ? "dark" : "light");

const drawing = new Drawing();
const paper = new Paper($("pad"), drawing);
const answer = new Answer(
  parts({
    answer: "answer", sight: "sight", headline: "headline", sure: "sure", note: "note",
    bars: "bars", spoken: "spoken",
  }),
);
const layers = new Layers({
  ...parts({ scroll: "scroll", strips: "strips", about: "inside-about", tip: "tip" }),
  scheme,
});
const unit = new Unit(
  parts({
    panel: "unit", title: "unit-title", about: "unit-about", previous: "unit-previous",
    next: "unit-next", close: "unit-close", map: "unit-map", value: "unit-value",
    mapCaption: "unit-map-caption",
    picture: "unit-picture", status: "unit-status", again: "unit-again",
    progress: "unit-progress", measures: "unit-measures", verdict: "unit-verdict",
    save: "unit-save", link: "unit-link",
  }),
  scheme,
);
const trouble = new Trouble($("trouble"), $("trouble-text"), $("retry"), () => recover());

let models = [];
let model = null;
let maps = null;
let turn = 0;

/* What is drawn, to the service and back. */

const classify = new Newest(
  async ({ name, source, top, settled }, signal) => {
    await guarded(signal, async () => {
      const prediction = await api.classify(name, source, top, signal);
      if (!signal.aborted) await answer.show(prediction, settled);
    });
  },
  { busy: (now) => $("answer").setAttribute("aria-busy", now) },
);

const look = new Newest(
  async ({ name, source }, signal) => {
    await guarded(signal, async () => {
      const tensors = await api.activations(name, source, signal);
      if (!signal.aborted) showMaps(fromTensors(tensors));
    });
  },
  { rest: 3, busy: (now) => $("strips").setAttribute("aria-busy", now) },
);

function ask() {
  if (!model) return;
  if (drawing.empty) return blank();
  const { strokes, image } = drawing;
  const source = image ? { file: image.file } : { strokes };
  const top = Math.min(TOP, model.labels.length);
  const question = { name: model.name, source, top, settled: !drawing.drawing };
  classify.ask(question, question.settled);
  look.ask(question, question.settled);
}

function blank() {
  classify.forget();
  look.forget();
  answer.clear();
  showMaps(null);
}

function showMaps(found) {
  maps = found;
  layers.show(maps);
  if (unit.shown) unit.draw(maps?.get(unit.shown.layer.name) ?? null);
}

async function guarded(signal, work) {
  try {
    await work();
    trouble.over();
  } catch (error) {
    if (signal?.aborted) return;
    if (error instanceof api.Problem && error.status < 500) refuse(error);
    else trouble.show(error.message);
  }
}

function refuse(error) {
  answer.refuse(error.message);
  showMaps(null);
}

/* Which model, which channel. */

async function start() {
  await guarded(null, async () => {
    models = await api.models();
    switcher.build($("models"), models, ({ name }) => go({ model: name }));
    switcher.mark($("models"), bare(model?.name));
    await follow();
  });
}

/** From the beginning: what is served may be other than before. */
async function recover() {
  await document.documentElement.style.setProperty("--ramp", stops());
start();
  ask();
}

/** Changes the address; `follow` does the rest, so that links and buttons take one way. */
function go(where) {
  const hash = link.write(where);
  if (hash !== location.hash) history.pushState(null, "", hash);
  guarded(null, follow);
}

async function follow() {
  const where = link.read(location.hash);
  const name = where.model ?? model?.name ?? switcher.first(models)?.name;
  if (!name) throw new Error("This service has no model to offer.");
  if (name !== model?.name && !(await take(name))) return;
  if (!where.model) history.replaceState(null, "", link.write({ model: name }));
  const layer = where.layer === null ? null : layers.get(where.layer);
  if (!layer || where.unit >= layer.units) close(where);
  else open(layer, where.unit);
}

/** Asks for the layers first, so that a model that cannot be had leaves all as it was. */
async function take(name) {
  const mine = (turn += 1);
  const listed = await api.layers(name).finally(() => switcher.mark($("models"), bare(model?.name)));
  if (mine !== turn) return false;
  model = { ...models.find((one) => one.name === bare(name)), name };
  classify.forget();
  look.forget();
  close({});
  switcher.mark($("models"), bare(name));
  document.title = `${name} · Glyphscope`;
  answer.prepare(model.labels);
  layers.build(listed.filter((layer) => layer.activations), model.labels);
  showMaps(null);
  hint();
  ask();
  return true;
}

const bare = (name) => name?.split("@")[0];

function open(layer, k) {
  const { shown } = unit;
  if (shown?.model === model.name && shown.layer === layer && shown.unit === k) return;
  const where = { model: model.name, layer: layer.name, unit: k };
  const label = layers.label(layer.name, k);
  unit.open({ ...where, layer, label, href: link.write(where) }, maps?.get(layer.name) ?? null);
  layers.select(layer.name, k);
  layers.reveal(layer.name);
}

function close({ layer = null }) {
  unit.close();
  layers.select(null, -1);
  // A link to what this model does not have is mended, so that it is not passed on.
  if (layer !== null) history.replaceState(null, "", link.write({ model: model.name }));
}

/* What the user does. */

function hint() {
  $("hint").textContent = model ? switcher.invitation(model) : "";
  $("hint").hidden = !drawing.empty;
  $("undo").disabled = !drawing.canUndo;
  $("clear").disabled = drawing.empty;
}

function keys(event) {
  if (event.target.matches("input:not([type=radio])")) return;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === "z") event.shiftKey ? drawing.redo() : drawing.undo();
  else if (command && event.key.toLowerCase() === "y") drawing.redo();
  else if (command || event.altKey) return;
  else if (event.key === "Escape" && unit.shown) leave();
  else if (["Escape", "Delete", "Backspace"].includes(event.key)) drawing.clear();
  else return;
  event.preventDefault();
}

function leave() {
  const { layer } = unit.shown;
  go({ model: model.name });
  layers.focus(layer.name);
}

drawing.addEventListener("change", hint);
drawing.addEventListener("change", ask);
layers.list.addEventListener("choose", ({ detail }) => {
  go({ model: model.name, layer: detail.layer.name, unit: detail.unit });
  unit.focus();
});
unit.addEventListener("close", leave);
unit.addEventListener("step", ({ detail }) => {
  const { layer, unit: k } = unit.shown;
  go({ model: model.name, layer: layer.name, unit: k + detail });
});
addEventListener("hashchange", () => guarded(null, follow));
addEventListener("pagehide", () => unit.close());
addEventListener("pageshow", ({ persisted }) => persisted && guarded(null, follow));
addEventListener("keydown", keys);
dark.addEventListener("change", () => {
  paper.repaint();
  showMaps(maps);
});
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("layers").focus();
});
$("undo").addEventListener("click", () => drawing.undo());
$("clear").addEventListener("click", () => drawing.clear());
openImages(
  { button: $("open"), input: $("file"), target: $("paper") },
  (image) => drawing.show(image),
  (message) => answer.refuse(message),
);
document.documentElement.style.setProperty("--ramp", stops());
start();
