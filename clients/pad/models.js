/** The switch between models: radio buttons, since exactly one is looked at. */

import { percent } from "/pad/number.js";

/** Fills the fieldset; `choose(model)` is called when the user picks another. */
export function build(fieldset, models, choose) {
  fieldset.querySelectorAll("label").forEach((label) => label.remove());
  fieldset.append(...models.map((model) => option(model, choose)));
}

/** `text` is a name, name@version or name@alias; what is not production is shown as such. */
export function mark(fieldset, text, models = []) {
  const [name, alias] = text?.split("@") ?? [];
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === name;
  const model = models.find((one) => one.name === name);
  if (!model) return;
  const figures = fieldset.querySelector(`label:has(input[value="${CSS.escape(name)}"]) small`);
  if (figures) figures.textContent = summary(model, alias);
}

/** The version that answers under a name; it is not what the alias names while that one loads. */
export function version(model, alias = "production") {
  return /^\d+$/.test(alias) ? Number(alias) : (model.serving?.[alias] ?? model.aliases[alias]);
}

/** Where a pad is most at home: one letter a class, and the fewest classes. */
export function first(models) {
  const usable = models.filter(served);
  const drawable = usable.filter((model) => model.labels.every((label) => label.length === 1));
  const [best] = drawable.sort((a, b) => a.labels.length - b.labels.length);
  return best ?? usable[0] ?? null;
}

/** What to do with the empty paper. */
export function invitation({ labels }) {
  if (labels.some((label) => label.length > 1)) return "Drop a picture here, or try to draw one";
  return labels.every((label) => /\d/.test(label)) ? "Draw a digit" : "Draw a letter or a digit";
}

/** A version that cannot be read has no labels. */
const served = (model) => model.production !== null && model.labels.length > 0;

function option(model, choose) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "model", value: model.name });
  input.disabled = !served(model);
  input.addEventListener("change", () => choose(model));
  const name = document.createElement("span");
  name.textContent = model.name;
  const figures = document.createElement("small");
  figures.textContent = served(model) ? summary(model) : "";
  label.title = describe(model);
  label.append(input, name, figures);
  return label;
}

/** The accuracy is known of production's version alone. */
function summary(model, alias) {
  const shown = `v${version(model, alias)}`;
  if (alias && version(model, alias) !== version(model)) {
    return /^\d+$/.test(alias) ? shown : `${shown} ${alias}`;
  }
  return model.accuracy === null ? shown : `${shown} · ${percent(model.accuracy)}`;
}

function describe(model) {
  if (!served(model)) return model.broken?.[0]?.reason ?? "No version can be served.";
  return [accuracy(model), ...aliases(model), ...(model.held ?? []).map(held)].join("\n");
}

function accuracy(model) {
  if (model.accuracy === null) return `${model.labels.length} classes`;
  const images = model.n.toLocaleString("en");
  return `${percent(model.accuracy)} of ${images} test images of ${model.dataset} right`;
}

const aliases = (model) =>
  Object.entries(model.aliases).map(([alias, number]) => `${alias} is version ${number}`);

const held = (one) => `version ${one.serving} answers for ${one.alias}: ${one.reason}`;
