// The key of a service that is not open to everybody: asked for once, kept in this tab.

export class Door {
  #kept;
  #dialog;
  #asking = null;

  /** `kept` is what the tab remembers, `dialog` has one form with the field in it. */
  constructor(kept, dialog) {
    this.#kept = kept;
    this.#dialog = dialog;
  }

  /** Resolve to the key, "" for none; `refused` says that the one in use was not let in. */
  key(refused) {
    if (!refused) return this.#asking ?? this.#kept.get("key", "");
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** All that were refused at the same time wait for one answer; who closes the dialog has none. */
  #ask() {
    const field = this.#dialog.querySelector("input");
    field.value = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const leave = () => {
        const given = this.#dialog.returnValue === "enter" ? field.value.trim() : "";
        const key = /^[!-~]+$/.test(given) ? given : ""; // a header can hold nothing else
        field.value = "";
        this.#dialog.returnValue = "";
        this.#kept.set("key", key);
        resolve(key);
      };
      this.#dialog.addEventListener("close", leave, { once: true });
    });
  }
}
