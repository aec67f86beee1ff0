// What a collection holds and how its index is made.

import { number, time, View } from "./admin-view.js";
import { make } from "./dom.js";

const DENSE = { Flat: "逐一比较，精确", HNSW: "HNSW，近似" };

export class Index extends View {
  async show() {
    const found = await this.attempt(() => this.api.get("/api/admin/index"));
    if (!found) return;
    if (found.problem) this.tell(make("p", { class: "notice bad" }, found.problem));
    this.is("facts").replaceChildren(...facts(found).map(([name, value]) => fact(name, value)));
  }
}

function facts(found) {
  const days = `保留 ${number(found.retention_days)} 天`;
  return [
    ["文档集", found.collection],
    ["文档", `${number(found.documents)} 份，${number(found.characters)} 字`],
    ["最近一次改动", found.changed_at ? time(found.changed_at) : "还没有"],
    ...(found.index ? ofIndex(found.index) : []),
    ["对话", found.stores_conversations ? days : "只在内存里"],
    ["版本", found.version],
  ];
}

function ofIndex(index) {
  return [
    ["段落", number(index.passages)],
    ["世代", make("code", {}, index.generation)],
    ["建成于", time(index.made_at)],
    ["大小", size(index.bytes)],
    ["嵌入模型", make("code", {}, index.model)],
    ["词典", make("code", {}, index.dictionary)],
    ["语义检索", `${number(index.dimension)} 维，${DENSE[index.dense]}`],
  ];
}

function size(bytes) {
  const units = ["字节", "KB", "MB", "GB"];
  const at = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** at).toFixed(at ? 1 : 0)} ${units[at]}`;
}

function fact(name, value) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}
