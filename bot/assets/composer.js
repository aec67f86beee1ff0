// Where a question is written. Enter sends it, but never one that an input method is still making.

const TALLEST = 200; // pixels

export class Composer {
  #t;
  #form;
  #field;
  #send;
  #stop;
  #hint;
  #most;
  #composed = false;
  #busy = false;

  /** `ask(question)` and `stop()` are called; `form` holds .field, .send, .stop and .hint. */
  constructor(form, t, { ask, stop, most = 2000 }) {
    this.#t = t;
    this.#form = form;
    this.#most = most;
    this.#field = form.querySelector(".field");
    this.#send = form.querySelector(".send");
    this.#stop = form.querySelector(".stop");
    this.#hint = form.querySelector(".hint");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#sendable()) ask(this.#take());
    });
    this.#stop.addEventListener("click", stop);
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("compositionend", () => {
      this.#composed = true; // Safari ends a composition before it reports the Enter that ended it
      setTimeout(() => (this.#composed = false));
    });
    this.#changed();
  }

  get busy() {
    return this.#busy;
  }

  set busy(busy) {
    const focused = this.#form.contains(document.activeElement);
    this.#busy = busy;
    this.#send.hidden = busy;
    this.#stop.hidden = !busy;
    this.#changed();
    if (focused && document.activeElement !== this.#field) this.focus();
  }

  /** Put a question back to be changed, unless another one is being written. */
  edit(question) {
    if (!this.#field.value.trim()) this.#field.value = question;
    this.#changed();
    this.focus();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  #take() {
    const question = this.#field.value.trim();
    this.#field.value = "";
    this.#changed();
    return question;
  }

  #sendable() {
    const count = Array.from(this.#field.value.trim()).length;
    return !this.#busy && count > 0 && count <= this.#most;
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey) return;
    if (event.isComposing || event.keyCode === 229 || this.#composed) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #changed() {
    const count = Array.from(this.#field.value.trim()).length;
    const over = count > this.#most;
    this.#send.disabled = !this.#sendable();
    this.#hint.textContent = over ? this.#t("tooLong", { most: this.#most, count }) : this.#t("hint");
    this.#hint.classList.toggle("bad", over);
    this.#field.setAttribute("aria-invalid", String(over));
    this.#field.style.height = "auto";
    this.#field.style.height = `${Math.min(this.#field.scrollHeight + 2, TALLEST)}px`;
  }
}
