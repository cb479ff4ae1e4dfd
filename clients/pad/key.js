/** The service asks for a key: once, however many questions wait for it. */

export class KeyDialog {
  #waiting = null;

  /** `unlock(key)` hands it in; it fails where the key is not taken. */
  constructor({ dialog, form, input, trouble }, unlock) {
    Object.assign(this, { dialog, form, input, trouble, unlock });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#hand();
    });
    // Escape would leave a page that can do nothing.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
  }

  ask() {
    this.#waiting ??= new Promise((done) => {
      this.done = done;
      this.dialog.showModal();
      this.input.focus();
    });
    return this.#waiting;
  }

  async #hand() {
    const key = this.input.value.trim();
    if (!key) return;
    this.form.inert = true;
    try {
      await this.unlock(key);
    } catch (error) {
      this.#refuse(error.status === 401 || error.status === 422 ? "This key is not known here." : error.message);
      return;
    } finally {
      this.form.inert = false;
    }
    this.input.value = "";
    this.trouble.hidden = true;
    this.dialog.close();
    this.#waiting = null;
    this.done();
  }

  #refuse(message) {
    this.trouble.textContent = message;
    this.trouble.hidden = false;
    this.input.select();
  }
}
