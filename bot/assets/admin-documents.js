// The documents: find, upload, paste, replace, delete.

import { documentPath } from "./admin-api.js";
import { number, time, View } from "./admin-view.js";
import { link, make } from "./dom.js";

export class Documents extends View {
  #documents = [];
  #replaced = null; // the document that the next file takes the place of
  #paste = document.querySelector("#paste");
  #sure = document.querySelector("#sure");

  constructor(element, api) {
    super(element, api);
    this.is("filter").addEventListener("input", () => this.#list());
    this.does("upload").addEventListener("click", () => this.is("files").click());
    this.does("paste").addEventListener("click", () => this.#open());
    this.is("files").addEventListener("change", (event) => this.#chosen(event.target));
    this.is("file").addEventListener("change", (event) => this.#chosen(event.target));
    this.#paste.querySelector("form").addEventListener("submit", () => this.#addText());
    this.#paste.querySelector('[data-does="cancel"]').addEventListener("click", () => this.#paste.close());
    element.addEventListener("dragover", (event) => this.#over(event));
    element.addEventListener("dragleave", () => element.removeAttribute("data-over"));
    element.addEventListener("drop", (event) => this.#dropped(event));
  }

  /** `?write=…` opens an empty text with that title. */
  async show(values) {
    await this.attempt(() => this.#load());
    if (values.has("write")) {
      history.replaceState(null, "", "#documents");
      this.#open(values.get("write"));
    }
  }

  async #load() {
    this.#documents = (await this.api.get("/api/documents")).documents;
    this.#list();
  }

  #list() {
    const wanted = this.is("filter").value.trim().toLowerCase();
    const found = this.#documents.filter(({ title, source, id }) =>
      [title, source, id].some((text) => text.toLowerCase().includes(wanted)),
    );
    const [all, shown] = [this.#documents.length, found.length];
    this.is("count").textContent = wanted ? `${number(all)} 份里有 ${number(shown)} 份` : `共 ${number(all)} 份`;
    const empty = all ? "没有找到这样的文档。" : "还没有文档：上传文件，或粘贴一段文字。";
    this.list(found, (each) => this.#entry(each), empty);
  }

  #entry(item) {
    const facts = [`${number(item.characters)} 字`, `${number(item.passages)} 段`];
    const named = (does) => ({ type: "button", class: "button quiet", "aria-label": `${does}《${item.title}》` });
    return make(
      "li",
      { class: "card document", "data-id": item.id },
      make("a", { class: "title", href: item.view_url }, item.title),
      make("p", { class: "faint" }, facts.join(" · "), " · ", time(item.changed_at)),
      make("p", { class: "faint source" }, link(item.source_url, {}, item.source) ?? item.source),
      make(
        "div",
        { class: "actions" },
        make("button", { ...named("替换"), on: { click: () => this.#replace(item) } }, "替换"),
        make("button", { ...named("删除"), on: { click: () => this.#delete(item) } }, "删除"),
      ),
    );
  }

  #over(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.element.setAttribute("data-over", "");
  }

  #dropped(event) {
    event.preventDefault();
    this.element.removeAttribute("data-over");
    this.#replaced = null;
    this.#upload([...event.dataTransfer.files]);
  }

  #replace(item) {
    this.#replaced = item;
    this.is("file").click();
  }

  #chosen(input) {
    const files = [...input.files];
    if (input === this.is("files")) this.#replaced = null;
    input.value = ""; // the same file can be chosen again
    this.#upload(files);
  }

  async #upload(files) {
    if (!files.length) return;
    const former = this.#replaced;
    this.#replaced = null;
    const what = files.length === 1 ? `《${files[0].name}》` : ` ${files.length} 个文件`;
    await this.#change(`正在上传${what}`, async (told) => {
      const report = await this.api.addFiles(files, told);
      return former ? this.#withoutFormer(former, report) : report;
    });
  }

  /** A file of another name is another document: the former one goes once the new one is there. */
  async #withoutFormer(former, report) {
    const now = [...report.added, ...report.replaced, ...report.unchanged];
    if (!now.length || now.includes(former.id)) return report;
    await this.api.delete(documentPath(former.id));
    return { ...report, added: [], replaced: now };
  }

  #open(title = "") {
    const form = this.#paste.querySelector("form");
    if (title) form.reset();
    if (title) form.querySelector("#paste-name").value = title;
    this.#paste.showModal();
    form.querySelector(title ? "#paste-text" : "#paste-name").focus();
  }

  async #addText() {
    const form = this.#paste.querySelector("form");
    const [title, text, source] = ["name", "text", "source"].map(
      (name) => form.querySelector(`#paste-${name}`).value,
    );
    const done = await this.#change(`正在加入《${title}》`, () => this.api.addText(title, text, source));
    if (done) form.reset(); // what could not be added is still there
  }

  async #change(doing, work) {
    const progress = this.is("work").querySelector("progress");
    this.is("doing").textContent = doing;
    progress.value = 0;
    this.is("work").hidden = false;
    const told = (share) => {
      progress.value = share;
      if (share < 1) return;
      this.is("doing").textContent = "正在读取和建立索引";
      progress.removeAttribute("value");
    };
    const report = await this.attempt(() => work(told));
    this.is("work").hidden = true;
    if (!report) return false;
    await this.attempt(() => this.#load());
    this.tell(...reported(report));
    return true;
  }

  async #delete(item) {
    this.#sure.querySelector("#sure-text").textContent =
      `《${item.title}》的 ${number(item.passages)} 段都会删除，不再用来回答。原来的文件不受影响。`;
    this.#sure.returnValue = "";
    this.#sure.showModal();
    await new Promise((closed) => this.#sure.addEventListener("close", closed, { once: true }));
    if (this.#sure.returnValue !== "delete") return;
    if (!(await this.attempt(() => this.api.delete(documentPath(item.id))))) return;
    await this.attempt(() => this.#load());
    this.tell(make("p", { class: "notice" }, `已删除《${item.title}》。`));
    this.element.querySelector("h1").focus();
  }
}

/** Say what an upload did, and of each file that could not be read, why. */
function reported({ added, replaced, unchanged, unreadable }) {
  const counts = [
    [added.length, "新增"],
    [replaced.length, "替换"],
    [unchanged.length, "未变"],
  ];
  const done = counts.filter(([count]) => count).map(([count, what]) => `${what} ${count} 份`);
  const bad = unreadable.map(({ detail }) => make("li", {}, detail));
  return [
    done.length ? make("p", { class: "notice" }, `${done.join("，")}，已经可以提问。`) : null,
    bad.length ? make("ul", { class: "notice bad plain" }, ...bad) : null,
  ].filter(Boolean);
}
