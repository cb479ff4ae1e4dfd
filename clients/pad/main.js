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
import { Compare } from "/pad/compare.js";
import { Drawing } from "/pad/drawing.js";
import { Examples } from "/pad/examples.js";
import { Explain } from "/pad/explain.js";
import { openImages } from "/pad/images.js";
import { Inverted } from "/pad/inverted.js";
import { Layers } from "/pad/layers.js";
import { KeyDialog } from "/pad/key.js";
import * as link from "/pad/link.js";
import { coloured, fromTensors } from "/pad/maps.js";
import { Mistakes } from "/pad/mistakes.js";
import * as switcher from "/pad/models.js";
import { Newest, busyIn } from "/pad/newest.js";
import { Paper } from "/pad/paper.js";
import { Past } from "/pad/past.js";
import { Placed } from "/pad/placed.js";
import { Trouble } from "/pad/trouble.js";
import { Unit } from "/pad/unit.js";
import { Views } from "/pad/views.js";
import { watch } from "/pad/watch.js";
import { Weights } from "/pad/weights.js";

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
const unit = new Unit({
  film: parts({ box: "film", canvas: "film-frames", range: "film-range", play: "film-play" }),
  method: parts({
    summary: "method-summary", preset: "method-preset", about: "method-about",
    steps: "method-steps", stepsValue: "method-steps-value",
    smooth: "method-smooth", smoothValue: "method-smooth-value",
    dark: "method-dark", darkValue: "method-dark-value",
    seed: "method-seed", another: "method-another", reset: "method-reset",
  }),
  ...parts({
    panel: "unit", title: "unit-title", about: "unit-about", previous: "unit-previous",
    next: "unit-next", close: "unit-close", map: "unit-map", value: "unit-value",
    mapCaption: "unit-map-caption", pictureCaption: "unit-picture-caption",
    frame: "unit-frame", live: "unit-live", picture: "unit-picture", status: "unit-status", again: "unit-again",
    progress: "unit-progress", measures: "unit-measures", verdict: "unit-verdict",
    score: "unit-score", save: "unit-save", link: "unit-link",
  }),
}, scheme);
const examples = new Examples($("unit-examples"));
const past = new Past($("unit-past"));
const failed = (error) => trouble.show(error.message);
const explain = new Explain($("view-explain"), { scheme, trouble: failed });
const placed = new Placed($("view-map"), { scheme, trouble: failed });
const mistakes = new Mistakes($("view-mistakes"), { scheme, trouble: failed });
const weights = new Weights($("view-weights"), { scheme, trouble: failed });
const inverted = new Inverted($("view-inversion"), { scheme, trouble: failed });
const compare = new Compare($("view-compare"), { scheme, trouble: failed, models: () => models });
const views = new Views($("views"), {
  layers: { title: "Layers", panel: $("view-layers") },
  weights: { title: "Weights", panel: $("view-weights"), view: weights },
  explain: { title: "Explain", panel: $("view-explain"), view: explain },
  inversion: { title: "Inversion", panel: $("view-inversion"), view: inverted },
  map: { title: "Map", panel: $("view-map"), view: placed },
  mistakes: { title: "Mistakes", panel: $("view-mistakes"), view: mistakes },
  compare: { title: "Compare", panel: $("view-compare"), view: compare },
});
const trouble = new Trouble($("trouble"), $("trouble-text"), $("retry"), () => recover());

const key = new KeyDialog(
  parts({ dialog: "key", form: "key-form", input: "key-input", trouble: "key-trouble" }),
  api.unlock,
);
api.locked(() => key.ask());

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
  { busy: busyIn($("answer")) },
);

const look = new Newest(
  async ({ name, source }, signal) => {
    await guarded(signal, async () => {
      const tensors = await api.activations(name, source, signal);
      if (!signal.aborted) showMaps(fromTensors(tensors, range()));
    });
  },
  { rest: 3, busy: busyIn($("strips")) },
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
  if (question.settled) views.draw(source);
}

function blank() {
  classify.forget();
  look.forget();
  answer.clear();
  showMaps(null);
  views.draw(null);
}

const range = () => $("ranges").querySelector(":checked").value;

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
    choices();
    offer();
    await follow();
  });
}

function choices() {
  switcher.build($("models"), models, ({ name }) => go({ ...(model && here()), model: name }));
  switcher.mark($("models"), model?.name, models);
}

/** Others than before are served. Another version of the model that is looked at is taken at once:
 * the drawing stays and is asked again. */
async function renew(found) {
  const before = model && serving(model.name);
  models = found;
  choices();
  if (model && serving(model.name) === before) return;
  await guarded(null, async () => {
    if (model) await take(model.name);
    await follow();
  });
}

/** The version that answers under a name, null where there is none. */
function serving(name) {
  const [plain, alias] = name.split("@");
  const found = models.find((one) => one.name === plain);
  return found ? switcher.version(found, alias) : null;
}

/** The panel works without: the service then chooses the method. */
async function offer() {
  const found = await api.presets().catch(() => null);
  if (found) unit.method.offer(found.presets, found.default);
}

/** From the beginning: what is served may be other than before. */
async function recover() {
  await start();
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
  if (where.view && !(where.view in views.views)) mend();
  else if (where.layer === null) views.show(where.view ?? "layers");
  else if (!views.shown) views.show("layers");
  const layer = where.layer === null ? null : layers.get(where.layer);
  if (!layer || where.unit >= layer.units) close(where);
  else open(layer, where.unit);
}

/** Asks for the layers first, so that a model that cannot be had leaves all as it was. */
async function take(name) {
  const mine = (turn += 1);
  const { layers: listed, epochs } = await api.layers(name).finally(() => switcher.mark($("models"), model?.name, models));
  if (mine !== turn) return false;
  model = { ...models.find((one) => one.name === bare(name)), name, layers: listed, epochs };
  classify.forget();
  look.forget();
  close({});
  switcher.mark($("models"), name, models);
  document.title = `${name} · Glyphscope`;
  answer.prepare(model.labels);
  layers.build(listed.filter((layer) => layer.activations), model.labels);
  showMaps(null);
  views.model(model);
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
  examples.show(model.name, layer.name, k);
  past.show(model, layer.name, k);
  layers.select(layer.name, k);
  layers.reveal(layer.name);
}

function close({ layer = null }) {
  unit.close();
  examples.clear();
  past.clear();
  layers.select(null, -1);
  if (layer !== null) mend();
}

/** A link to what is not there is mended, so that it is not passed on. */
function mend() {
  if (!views.shown) views.show("layers");
  history.replaceState(null, "", link.write(here()));
}

/** Where one is, without the unit that is open. */
const here = () => ({ model: model.name, view: views.shown === "layers" ? null : views.shown });

/* What the user does. */

function hint() {
  $("hint").textContent = model ? switcher.invitation(model) : "";
  $("hint").hidden = !drawing.empty;
  $("undo").disabled = !drawing.canUndo;
  $("clear").disabled = drawing.empty;
}

function keys(event) {
  if (event.target.matches("input:not([type=radio]), select")) return;
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
  go(here());
  layers.focus(layer.name);
}

drawing.addEventListener("change", hint);
drawing.addEventListener("change", ask);
views.addEventListener("choose", ({ detail }) => go({ model: model.name, view: detail === "layers" ? null : detail }));
for (const view of [weights, mistakes, compare]) {
  view.addEventListener("unit", ({ detail }) => {
    go({ model: model.name, ...detail });
    unit.focus();
  });
}
$("ranges").addEventListener("change", () => maps && showMaps(coloured(maps, range())));
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
  for (const view of [weights, explain, inverted, placed, mistakes, compare]) view.repaint();
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
watch(api.models, renew);
