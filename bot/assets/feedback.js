// What somebody thinks of an answer: a thumb, and if they like some words.

import { iconButton, make } from "./dom.js";

const LONGEST = 2000;

/** Thumbs, and below them a comment once one is chosen. `send(vote, comment)` keeps it. */
export class Feedback {
  #t;
  #send;
  #thumbs;
  vote = null;

  constructor(t, send, vote = null) {
    this.#t = t;
    this.#send = send;
    this.#thumbs = {
      up: iconButton("up", t("good"), () => this.#choose("up"), { "aria-pressed": "false" }),
      down: iconButton("down", t("bad"), () => this.#choose("down"), { "aria-pressed": "false" }),
    };
    this.buttons = [this.#thumbs.up, this.#thumbs.down];
    this.element = make("div", { class: "comment", role: "group", "aria-label": t("why"), hidden: true });
    this.#mark(vote);
  }

  #mark(vote) {
    this.vote = vote;
    for (const [name, thumb] of Object.entries(this.#thumbs)) {
      thumb.setAttribute("aria-pressed", String(name === vote));
    }
  }

  async #choose(vote) {
    if (vote === this.vote && !this.element.hidden) {
      this.element.hidden = true;
      return;
    }
    const before = this.vote;
    this.#mark(vote);
    this.#ask();
    try {
      await this.#send(vote, "");
    } catch {
      this.#mark(before);
      this.#say("voteFailed");
    }
  }

  #ask() {
    const t = this.#t;
    const words = make("input", { class: "field", type: "text", maxlength: LONGEST, placeholder: t("why"), "aria-label": t("why") });
    const form = make(
      "form",
      { on: { submit: (event) => this.#comment(event, words) } },
      words,
      make("button", { type: "submit", class: "button" }, t("sendComment")),
    );
    this.element.replaceChildren(form);
    this.element.hidden = false;
  }

  async #comment(event, words) {
    event.preventDefault();
    const focused = this.element.contains(document.activeElement);
    try {
      await this.#send(this.vote, words.value.trim());
      this.#say("thanks");
      if (focused) this.#thumbs[this.vote].focus();
    } catch {
      words.setAttribute("aria-invalid", "true");
      this.element.append(make("p", { class: "notice bad", role: "alert" }, this.#t("voteFailed")));
    }
  }

  #say(key) {
    this.element.replaceChildren(make("p", { class: "faint", role: "status" }, this.#t(key)));
    this.element.hidden = false;
  }
}
