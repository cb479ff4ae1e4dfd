/** The switch between models: radio buttons, since exactly one is looked at. */

import { percent } from "/pad/number.js";

/** Fills the fieldset; `choose(model)` is called when the user picks another. */
export function build(fieldset, models, choose) {
  fieldset.querySelectorAll("label").forEach((label) => label.remove());
  fieldset.append(...models.map((model) => option(model, choose)));
}

export function mark(fieldset, name) {
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === name;
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
  const accuracy = document.createElement("small");
  accuracy.textContent = model.accuracy === null ? "" : percent(model.accuracy);
  label.title = describe(model);
  label.append(input, name, accuracy);
  return label;
}

function describe(model) {
  if (!served(model)) return model.broken?.[0]?.reason ?? "No version can be served.";
  if (model.accuracy === null) return `${model.labels.length} classes`;
  const images = model.n.toLocaleString("en");
  return `${percent(model.accuracy)} of ${images} test images of ${model.dataset} right`;
}
