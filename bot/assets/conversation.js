// The conversation: the same on the page and in the widget, only laid out another way.

import { AnswerView } from "./answer.js";
import { ApiError } from "./api.js";
import { Composer } from "./composer.js";
import { make } from "./dom.js";
import { TurnView } from "./turn.js";

const NEAR_THE_END = 80; // pixels: who is that close is taken to be reading the newest

/**
 * Events: "session" when there is another session id, "answer" with the answer object, "asked".
 *
 * `root` holds .log, .welcome with .suggestions in it, .connection and form.composer.
 */
export class Conversation extends EventTarget {
  #t;
  #api;
  #log;
  #welcome;
  #composer;
  #running = null;
  session = null;

  constructor(root, t, api) {
    super();
    this.#t = t;
    this.#api = api;
    this.#log = root.querySelector(".log");
    this.#welcome = root.querySelector(".welcome");
    const ask = (question) => this.ask(question);
    this.#composer = new Composer(root.querySelector("form.composer"), t, { ask, stop: () => this.stop() });
    this.#log.addEventListener("ask", (event) => this.ask(event.detail));
    this.#watchConnection(root.querySelector(".connection"));
  }

  get empty() {
    return !this.#log.querySelector(".turn");
  }

  /** Ask a question; while another one is being answered it is put into the field instead. */
  async ask(question) {
    if (this.#composer.busy) {
      this.#composer.edit(question);
      return;
    }
    await this.#answer(this.#turn(question));
  }

  stop() {
    this.#running?.abort();
  }

  focus() {
    this.#composer.focus();
  }

  /** Put a question into the field, to be sent or changed. */
  edit(question) {
    this.#composer.edit(question);
  }

  /** Begin anew. */
  clear() {
    this.stop();
    this.#to(null);
    this.#log.querySelectorAll(".turn").forEach((turn) => turn.remove());
    this.#welcome.hidden = false;
  }

  /** Show a session as the server keeps it; a question asked twice in a row is one turn. */
  restore({ session_id: id, turns }) {
    this.clear();
    this.#to(id);
    let turn = null;
    for (const kept of turns) {
      if (turn?.question !== kept.question) turn = this.#turn(kept.question);
      const view = new AnswerView(this.#t, this.#api);
      turn.add(view);
      view.done(kept, kept.vote);
    }
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** Offer questions to begin with. */
  suggest(questions) {
    const place = this.#welcome.querySelector(".suggestions");
    place.querySelector("ul").replaceChildren(
      ...questions.map((question) =>
        make("li", {}, make("button", { type: "button", class: "chip", on: { click: () => this.ask(question) } }, question)),
      ),
    );
    place.toggleAttribute("data-ready", questions.length > 0);
  }

  #turn(question) {
    const turn = new TurnView(this.#t, question);
    turn.element.addEventListener("again", () => this.#composer.busy || this.#answer(turn));
    turn.element.addEventListener("edit", () => this.#composer.edit(question));
    this.#welcome.hidden = true;
    this.#log.append(turn.element);
    return turn;
  }

  async #answer(turn) {
    const view = new AnswerView(this.#t, this.#api);
    const running = new AbortController();
    this.#running = running;
    this.#composer.busy = true;
    this.#log.setAttribute("aria-busy", "true");
    turn.add(view);
    this.#follow(true);
    this.dispatchEvent(new CustomEvent("asked", { detail: turn.question }));
    try {
      await this.#stream(turn.question, view, running.signal);
    } catch (error) {
      if (running.signal.aborted) view.stopped();
      else view.fail(error instanceof ApiError ? error : new ApiError("cut"));
      if (!(error instanceof ApiError) && !running.signal.aborted) reportError(error);
    } finally {
      if (this.#running === running) {
        this.#running = null;
        this.#composer.busy = false;
        this.#log.setAttribute("aria-busy", "false");
      }
      this.#follow();
    }
  }

  async #stream(question, view, signal) {
    let turnId = null;
    try {
      for await (const { name, data } of this.#api.chat(question, this.session, signal)) {
        const near = this.#near();
        if (name === "meta") {
          turnId = data.turn_id;
          this.#to(data.session_id);
          view.enter("searching");
        } else if (name === "citation") view.cite(data);
        else if (name === "delta") view.say(data.text);
        else if (name === "done") this.#done(view, data);
        if (near) this.#follow(true);
      }
    } catch (error) {
      if (error.code === "session_not_found" && this.session) {
        this.#to(null);
        this.dispatchEvent(new CustomEvent("asked", { detail: question }));
        view.remark(this.#t("expired"));
        await this.#stream(question, view, signal);
      } else if (error.kind === "cut" && turnId && !signal.aborted) {
        this.#done(view, await this.#kept(turnId, error));
      } else throw error;
    }
  }

  #done(view, answer) {
    view.done(answer);
    this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }

  /** Return the answer that the server finished although the line was cut, or throw `error`. */
  async #kept(turnId, error) {
    const { turns } = await this.#api.session(this.session).catch(() => ({ turns: [] }));
    const kept = turns.find((turn) => turn.turn_id === turnId);
    if (!kept) throw error;
    return kept;
  }

  #to(session) {
    if (this.session === session) return;
    this.session = session;
    this.dispatchEvent(new CustomEvent("session", { detail: session }));
  }

  #near() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
  }

  #follow(near = this.#near()) {
    if (near) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #watchConnection(notice) {
    const tell = () => {
      notice.hidden = navigator.onLine;
    };
    addEventListener("online", tell);
    addEventListener("offline", tell);
    tell();
  }
}
