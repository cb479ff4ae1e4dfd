/** What is served may change while the page is open: it asks again, and tells when it has. */

const SECONDS = 5;

/** `read()` gives the models; `changed(models)` is called when they are others than before. */
export function watch(read, changed) {
  let known = null;
  const look = async () => {
    // A page that nobody sees asks nothing.
    if (document.hidden) return;
    const models = await read().catch(() => null);
    if (models === null) return;
    const now = JSON.stringify(models);
    if (known !== null && known !== now) changed(models);
    known = now;
  };
  document.addEventListener("visibilitychange", look);
  look();
  return setInterval(look, SECONDS * 1000);
}
