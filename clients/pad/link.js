/**
 * The address of what is looked at: "#mnist", "#mnist/block1.conv1/3".
 *
 *   read(hash) -> {model, layer, unit}, with null for what is not there
 */

export function read(hash) {
  const [model, layer, unit] = hash.replace(/^#/, "").split("/").map(plain);
  const whole = Boolean(model && layer) && /^\d{1,6}$/.test(unit ?? "");
  return { model: model || null, layer: whole ? layer : null, unit: whole ? Number(unit) : null };
}

export function write({ model, layer = null, unit = null }) {
  const parts = layer === null ? [model] : [model, layer, String(unit)];
  return "#" + parts.map(encodeURIComponent).join("/").replaceAll("%40", "@");
}

function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
