/**
 * The address of what is looked at: "#mnist", "#mnist/explain", "#mnist/block1.conv1/3".
 *
 *   read(hash) -> {model, view, layer, unit}, with null for what is not there
 */

export function read(hash) {
  const [model, second, unit] = hash.replace(/^#/, "").split("/").map(plain);
  const whole = Boolean(model && second) && /^\d{1,6}$/.test(unit ?? "");
  return {
    model: model || null,
    view: second && unit === undefined ? second : null,
    layer: whole ? second : null,
    unit: whole ? Number(unit) : null,
  };
}

export function write({ model, view = null, layer = null, unit = null }) {
  const parts = layer !== null ? [model, layer, String(unit)] : view ? [model, view] : [model];
  return "#" + parts.map(encodeURIComponent).join("/").replaceAll("%40", "@");
}

function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
