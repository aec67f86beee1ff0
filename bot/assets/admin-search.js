// What a question finds, and what each retriever says of it.

import { View } from "./admin-view.js";
import { make } from "./dom.js";

const TOP = 10;
const NAMES = { dense: "语义", bm25: "词语" };
const STAGES = { embed: "嵌入", dense: "语义检索", bm25: "词语检索", fuse: "合并", total: "总共" };

export class Search extends View {
  constructor(element, api) {
    super(element, api);
    this.does("search").addEventListener("submit", (event) => {
      event.preventDefault();
      const query = encodeURIComponent(this.is("query").value.trim());
      if (location.hash === `#search?q=${query}`) this.#find();
      else location.hash = `#search?q=${query}`;
    });
  }

  async show(values) {
    if (values.has("q")) this.is("query").value = values.get("q");
    if (this.is("query").value) await this.#find();
  }

  async #find() {
    const values = { q: this.is("query").value, top_k: TOP, explain: true };
    const found = await this.attempt(() => this.api.get("/api/search", values));
    if (!found) return;
    this.tell(make("p", { class: "faint" }, found.hits.length ? `搜到 ${found.hits.length} 段` : "没有搜到。"));
    this.is("seen").replaceChildren(...seen(found));
    this.is("list").replaceChildren(...found.hits.map(entry));
  }
}

function seen({ terms, timings }) {
  const spent = Object.entries(timings).map(([stage, ms]) => `${STAGES[stage] ?? stage} ${ms.toFixed(1)} 毫秒`);
  return [
    make("p", { class: "terms" }, "检索词：", ...terms.map((term) => make("span", { class: "term" }, term))),
    make("p", { class: "faint" }, spent.join("，")),
  ];
}

function entry(hit) {
  const path = hit.headings[0] === hit.title ? hit.headings.slice(1) : hit.headings;
  const rows = Object.keys({ ...hit.scores, ...hit.ranks }).map((name) => [
    NAMES[name] ?? name,
    hit.ranks[name] ? `第 ${hit.ranks[name]} 名` : "没有找到",
    hit.scores[name]?.toFixed(3) ?? "",
  ]);
  return make(
    "li",
    { class: "card hit" },
    make("span", { class: "rank", "aria-hidden": "true" }, String(hit.rank)),
    make(
      "p",
      {},
      make("a", { class: "title", href: hit.view_url }, hit.title),
      path.length ? make("span", { class: "faint" }, ` › ${path.join(" › ")}`) : null,
    ),
    make("p", { class: "passage" }, hit.text),
    make(
      "dl",
      { class: "scores" },
      fact("合并得分", hit.score.toFixed(3)),
      ...rows.map(([name, rank, score]) => fact(name, score ? `${rank}，${score}` : rank)),
    ),
  );
}

function fact(name, value) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}
