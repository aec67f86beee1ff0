// A question and its answers: a retry keeps the earlier one, a step back.

import { iconButton, make } from "./dom.js";

export class TurnView {
  #t;
  #answers = [];
  #at = -1;
  #place = make("div", { class: "answers" });
  #switch;
  #number = make("span", { role: "status" });

  constructor(t, question) {
    this.#t = t;
    this.question = question;
    this.#switch = make(
      "div",
      { class: "variants", hidden: true },
      iconButton("left", t("previous"), () => this.show(this.#at - 1)),
      this.#number,
      iconButton("right", t("next"), () => this.show(this.#at + 1)),
    );
    this.element = make(
      "article",
      { class: "turn" },
      make("h2", { class: "question" }, make("span", { class: "unseen" }, `${t("question")} `), question),
      this.#switch,
      this.#place,
    );
  }

  get answer() {
    return this.#answers[this.#at];
  }

  /** Show another answer; one that came to nothing is not kept. */
  add(answer) {
    const last = this.#answers.at(-1);
    if (last && last.state !== "done") {
      last.leave();
      this.#answers.pop();
    }
    this.#answers.push(answer);
    this.show(this.#answers.length - 1);
  }

  show(number) {
    this.#at = number;
    const count = this.#answers.length;
    this.#place.replaceChildren(this.answer.element);
    this.#switch.hidden = count < 2;
    this.#number.textContent = `${number + 1} / ${count}`;
    this.#number.setAttribute("aria-label", this.#t("variant", { number: number + 1, count }));
    const [previous, next] = this.#switch.querySelectorAll("button");
    previous.disabled = number === 0;
    next.disabled = number === count - 1;
  }
}
