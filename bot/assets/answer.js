// One answer, from the first sign of life to its thumbs.

import { iconButton, make } from "./dom.js";
import { Feedback } from "./feedback.js";
import { Prose } from "./prose.js";
import { asText, Sources } from "./sources.js";

const BUSY_CODES = { not_ready: "notReady" };
const NEAREST = /相近的[内內]容：.*。$/s; // stands below as buttons
const OWN_WORDS = { offline: "offline", cut: "cut" };

/**
 * The view of an answer. It tells its surroundings by events that bubble: "again" and "edit", and
 * "ask" with a question in `detail`.
 */
export class AnswerView {
  #t;
  #api;
  #status;
  #extra = make("div", { class: "extra" });
  #sources;
  #prose;
  #countdown = null;
  state = "connecting";

  constructor(t, api) {
    this.#t = t;
    this.#api = api;
    this.#status = make("p", { class: "status" }, make("span"));
    this.#sources = new Sources(t);
    this.#prose = new Prose((number) => this.#sources.marker(number));
    this.element = make(
      "div",
      { class: "answer", "data-state": "connecting" },
      make("div", { class: "answer-body" }, this.#status, this.#prose.element, this.#extra),
      this.#sources.element,
    );
    this.enter("connecting");
  }

  /** Show a state: connecting, searching, writing, stopped, failed, done. */
  enter(state, words = this.#t(state)) {
    this.state = state;
    this.element.dataset.state = state;
    this.#status.firstChild.textContent = words;
  }

  cite(citation) {
    this.#sources.add(citation);
  }

  say(text) {
    if (this.state !== "writing") this.enter("writing");
    this.#prose.append(text);
  }

  /** Show the whole answer object; what was streamed of it stays where it is. */
  done(answer, vote = null) {
    for (const citation of answer.citations) this.#sources.add(citation);
    const text = answer.refusal?.nearest.length ? answer.answer.replace(NEAREST, "") : answer.answer;
    if (this.#prose.text !== text) this.#rewrite(text);
    this.enter("done", this.#t(kindOf(answer)));
    this.element.toggleAttribute("data-refused", answer.refused);
    const feedback = new Feedback(this.#t, (...said) => this.#api.vote(answer.turn_id, ...said), vote);
    this.#extra.replaceChildren(
      ...(answer.refusal?.nearest.length ? [this.#nearest(answer.refusal.nearest)] : []),
      this.#actions(
        iconButton("copy", this.#t("copy"), (event) => this.#copy(event.currentTarget, answer)),
        iconButton("retry", this.#t("again"), () => this.#tell("again")),
        ...(answer.turn_id ? feedback.buttons : []),
      ),
      feedback.element,
    );
  }

  stopped() {
    this.enter("stopped");
    this.#extra.replaceChildren(this.#retries());
  }

  /** Show an `ApiError`, with a way on; `busy` counts down until another try is worth it. */
  fail(error) {
    this.enter("failed", "");
    const said = make("p", { class: "notice bad", role: "alert" }, this.#wordsOf(error));
    const retries = this.#retries();
    this.#extra.replaceChildren(said, retries);
    if (error.kind === "busy") this.#wait(retries.querySelector("button"), error.retryAfter);
  }

  remark(text) {
    this.element.before(make("p", { class: "remark", role: "note" }, text));
  }

  leave() {
    clearInterval(this.#countdown);
  }

  #rewrite(text) {
    const made = new Prose((number) => this.#sources.marker(number));
    made.append(text);
    this.#prose.element.replaceWith(made.element);
    this.#prose = made;
  }

  #wordsOf({ kind, code, detail, detailEn }) {
    const t = this.#t;
    if (kind in OWN_WORDS) return t(OWN_WORDS[kind]);
    if (kind === "busy") return t(BUSY_CODES[code] ?? "busy");
    const english = document.documentElement.lang === "en";
    return t("failed", { detail: (english ? detailEn : detail) || code || kind });
  }

  #wait(button, seconds) {
    const ends = performance.now() + seconds * 1000;
    const words = button.lastChild;
    const tick = () => {
      const left = Math.ceil((ends - performance.now()) / 1000);
      button.disabled = left > 0;
      words.textContent = left > 0 ? this.#t("wait", { seconds: left }) : this.#t("retry");
      if (left <= 0) clearInterval(this.#countdown);
    };
    this.#countdown = setInterval(tick, 250);
    tick();
  }

  #retries() {
    const actions = this.#actions(
      iconButton("retry", this.#t("retry"), () => this.#tell("again"), { text: true }),
      make("button", { type: "button", class: "button quiet", on: { click: () => this.#tell("edit") } }, this.#t("edit")),
    );
    actions.classList.add("words");
    return actions;
  }

  #actions(...buttons) {
    return make("div", { class: "actions" }, ...buttons);
  }

  #nearest(headings) {
    const chip = (heading) => {
      const path = heading.split(" › ");
      const last = path.pop();
      const below = path.length ? make("span", { class: "source-path" }, path.join(" › ")) : null;
      const click = () => this.#tell("ask", last);
      return make("button", { type: "button", class: "chip", on: { click } }, last, below);
    };
    return make(
      "div",
      { class: "nearest", role: "group", "aria-label": this.#t("nearest") },
      make("p", { class: "faint" }, this.#t("nearest")),
      ...headings.map(chip),
    );
  }

  async #copy(button, { answer, citations }) {
    const sources = asText(citations, this.#t);
    const done = await write(sources ? `${answer}\n\n${this.#t("sources")}\n${sources}\n` : `${answer}\n`);
    const said = this.#t(done ? "copied" : "copyFailed");
    button.classList.toggle("done", done);
    button.setAttribute("aria-label", said);
    button.title = said;
    setTimeout(() => {
      button.classList.remove("done");
      button.setAttribute("aria-label", this.#t("copy"));
      button.title = this.#t("copy");
    }, 2000);
  }

  #tell(name, detail = null) {
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

function kindOf({ refused, citations, mode }) {
  if (refused) return "refused";
  if (!citations.length) return "chatted";
  return mode === "llm" ? "written" : "answered";
}

/** Put text on the clipboard and return whether that worked; plain HTTP has only the old way. */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { class: "unseen", readonly: true });
    field.value = text;
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }
}
