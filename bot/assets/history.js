// The conversations of this browser. Only their ids and titles are kept here: what was said is
// asked of the server, so that what was deleted there is gone here too.

import { iconButton, make } from "./dom.js";

const KEY = "history";
const MOST = 100;
const SURE_MILLISECONDS = 4000;

/** Events: "open" with an entry, "removed" with an id. */
export class History extends EventTarget {
  #t;
  #keep;
  #api;
  #list;
  #all;
  #current = null;

  constructor(list, all, { t, keep, api }) {
    super();
    this.#t = t;
    this.#keep = keep;
    this.#api = api;
    this.#list = list;
    this.#all = all;
    sure(all, t("removeAll"), t("confirm"), () => this.#removeAll());
    addEventListener("storage", () => this.draw()); // another tab
    this.draw();
  }

  get entries() {
    const kept = this.#keep.get(KEY, []);
    return Array.isArray(kept) ? kept.filter((each) => typeof each?.id === "string") : [];
  }

  set current(id) {
    this.#current = id;
    this.draw();
  }

  /** Put a session first, titled by its first question. */
  note(id, title) {
    const entries = this.entries;
    const known = entries.find((each) => each.id === id);
    const others = entries.filter((each) => each.id !== id);
    this.#keep.set(KEY, [known ?? { id, title: title.slice(0, 80) }, ...others].slice(0, MOST));
    this.current = id;
  }

  draw() {
    const entries = this.entries;
    const empty = make("li", { class: "none" }, this.#t("noHistory"));
    this.#list.replaceChildren(...(entries.length ? entries.map((each) => this.#row(each)) : [empty]));
    this.#all.hidden = entries.length < 2;
  }

  #row(entry) {
    const title = String(entry.title || "…");
    const open = () => this.dispatchEvent(new CustomEvent("open", { detail: entry }));
    const remove = iconButton("trash", this.#t("remove", { title }), () => {});
    sure(remove, null, this.#t("confirm"), () => this.#remove([entry.id]));
    return make(
      "li",
      entry.id === this.#current ? { "aria-current": "true" } : {},
      make("button", { type: "button", class: "history-open", title, on: { click: open } }, title),
      remove,
    );
  }

  #removeAll() {
    return this.#remove(this.entries.map((each) => each.id));
  }

  async #remove(ids) {
    for (const id of ids) {
      try {
        await this.#api.deleteSession(id);
      } catch (error) {
        if (error.status !== 404) {
          this.dispatchEvent(new CustomEvent("failed"));
          break;
        }
      }
      this.#keep.set(KEY, this.entries.filter((each) => each.id !== id));
      this.dispatchEvent(new CustomEvent("removed", { detail: id }));
    }
    this.draw();
  }
}

/** Have a button ask once more before it does something. */
function sure(button, label, question, act) {
  const usual = button.getAttribute("aria-label");
  if (label) button.textContent = label;
  const calm = () => {
    button.classList.remove("sure");
    if (label) button.textContent = label;
    else button.setAttribute("aria-label", usual);
  };
  button.addEventListener("click", () => {
    if (button.classList.contains("sure")) {
      calm();
      act();
      return;
    }
    button.classList.add("sure");
    if (label) button.textContent = question;
    else button.setAttribute("aria-label", question);
    button.title = question;
    setTimeout(calm, SURE_MILLISECONDS);
  });
}
