// The last measurement: each measure with its 95 % interval.

import { number, time, View } from "./admin-view.js";
import { make } from "./dom.js";

const SPLITS = { "": "结果", tune: "调参半", test: "测试半" };

export class Report extends View {
  async show() {
    const found = await this.attempt(() => this.api.get("/api/admin/report"));
    if (!found) return;
    const { about, groups } = found;
    const held = `${about.set}：${number(about.documents)} 份文档，${number(about.passages)} 段。`;
    this.is("about").replaceChildren(held, time(about.made), `，版本 ${about.wenqu}，${about.machine}。`);
    const splits = [...new Set(groups.flatMap(({ measures }) => measures.flatMap(splitsOf)))];
    this.is("tables").replaceChildren(...groups.map((group) => table(group, splits)));
  }
}

function splitsOf({ scores }) {
  return scores.map(({ split }) => split);
}

function table({ group, measures }, splits) {
  const heads = ["指标", ...splits.map((split) => SPLITS[split] ?? split)];
  return make(
    "div",
    { class: "table", role: "region", "aria-label": group, tabindex: "0" },
    make(
      "table",
      {},
      make("caption", {}, group),
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...measures.map((measure) => row(measure, splits))),
    ),
  );
}

function row({ label, unit, scores }, splits) {
  const cells = splits.map((split) => {
    const score = scores.find((each) => each.split === split);
    return make("td", {}, ...(score ? cell(score, unit) : ["–"]));
  });
  return make("tr", {}, make("th", { scope: "row" }, label), ...cells);
}

function cell({ value, low, high, questions }, unit) {
  const interval = `${shown(low, unit)} – ${shown(high, unit)}`;
  return [
    make("strong", {}, shown(value, unit)),
    make("span", { class: "interval" }, interval),
    make("span", { class: "interval" }, `${number(questions)} 题`),
  ];
}

/** A share in per cent, a difference of shares with its sign, anything else as it is. */
function shown(value, unit) {
  if (unit === "share") return (100 * value).toFixed(1);
  if (unit === "points") return `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`;
  return value.toFixed(1);
}
