/** Pictures instead of a drawing: chosen, dropped or pasted. */

/** @param show called with {file, bitmap}; @param refuse called with what is wrong */
export function openImages({ button, input, target }, show, refuse) {
  const take = async (file) => {
    if (!file) return;
    try {
      show({ file, bitmap: await createImageBitmap(file) });
    } catch {
      refuse(`${file.name || "This"} is no image that can be shown here.`);
    }
  };
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  acceptDrops(target, take);
}

/** Anywhere on the page, so that a picture let go beside the paper does not replace the page. */
function acceptDrops(target, take) {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("aimed");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) target.classList.remove("aimed");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("aimed");
    take(event.dataTransfer.files[0]);
  });
}
