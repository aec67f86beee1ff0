// Questions that were refused or disliked: what should be written next.

import { number, time, View } from "./admin-view.js";
import { make } from "./dom.js";

export class Questions extends View {
  #questions = [];

  constructor(element, api) {
    super(element, api);
    this.is("order").addEventListener("change", () => this.#list());
  }

  async show() {
    const found = await this.attempt(() => this.api.get("/api/admin/questions"));
    if (!found) return;
    this.#questions = found.questions;
    this.#list();
  }

  #list() {
    const often = this.is("order").value === "often";
    const weight = ({ refused, disliked }) => refused + disliked;
    const items = often ? this.#questions.toSorted((a, b) => weight(b) - weight(a)) : this.#questions;
    this.is("count").textContent = `共 ${number(items.length)} 个`;
    this.list(items, entry, "没有：最近的问题都答上了，也没有人点踩。");
  }
}

function entry({ question, refused, disliked, asked_at: askedAt, missing, nearest, comments }) {
  const query = encodeURIComponent(question);
  return make(
    "li",
    { class: "card question" },
    make("h2", {}, question),
    make(
      "p",
      { class: "badges" },
      refused ? make("span", { class: "badge" }, `拒答 ${number(refused)} 次`) : null,
      disliked ? make("span", { class: "badge bad" }, `点踩 ${number(disliked)} 次`) : null,
      make("span", { class: "faint" }, time(askedAt)),
    ),
    missing.length ? make("p", {}, "文档里没有：", make("strong", {}, missing.join("、"))) : null,
    nearest.length ? make("p", { class: "faint" }, `相近的内容：${nearest.join("；")}`) : null,
    ...comments.map((comment) => make("blockquote", {}, comment)),
    make(
      "div",
      { class: "actions" },
      make("a", { class: "button", href: `#search?q=${query}`, "aria-label": `看搜到什么：${question}` }, "看搜到什么"),
      make("a", { class: "button", href: `#documents?write=${query}`, "aria-label": `补写：${question}` }, "补写一篇"),
    ),
  );
}
