// The admin page: the door with its key, and which view is shown.

import { AdminApi, saidOf } from "./admin-api.js";
import { Documents } from "./admin-documents.js";
import { Index } from "./admin-index.js";
import { Questions } from "./admin-questions.js";
import { Report } from "./admin-report.js";
import { Search } from "./admin-search.js";
import { make } from "./dom.js";
import { keeper } from "./keep.js";

const one = (selector) => document.querySelector(selector);
const kept = keeper("sessionStorage");
const api = new AdminApi();
const section = (name) => one(`[data-view="${name}"]`);
const views = {
  documents: new Documents(section("documents"), api),
  questions: new Questions(section("questions"), api),
  search: new Search(section("search"), api),
  index: new Index(section("index"), api),
  report: new Report(section("report"), api),
};
let inside = false;

function showSection(name) {
  for (const each of document.querySelectorAll("[data-view]")) each.hidden = each.dataset.view !== name;
  one(".views").hidden = one(".who").hidden = !inside;
}

/** Show the view that the address names, such as `#search?q=chroot`. */
async function show({ moved = false } = {}) {
  if (!inside) return;
  const [name, query] = location.hash.slice(1).split("?");
  const shown = Object.hasOwn(views, name) ? name : "documents";
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showSection(shown);
  const title = section(shown).querySelector("h1");
  document.title = `${title.textContent} · 问渠管理`;
  if (moved) title.focus();
  await views[shown].show(new URLSearchParams(query));
}

/** Try a key: only the right one leads in. */
async function enter(key) {
  api.key = key;
  try {
    showCollections(await api.get("/api/admin/index"));
  } catch (error) {
    refuse(error, key);
    return;
  }
  kept.set("key", key);
  inside = true;
  await show();
}

function refuse(error, key) {
  api.key = "";
  kept.set("key", "");
  inside = false;
  const closed = error.code === "no_admin_key";
  showSection(closed ? "closed" : "door");
  if (closed) return;
  const wrong = one("#key-error");
  wrong.hidden = error.code === "admin_key" && !key;
  wrong.textContent = error.code === "admin_key" ? "密钥不对，请再试一次。" : saidOf(error);
  one("#key").setAttribute("aria-invalid", String(!wrong.hidden));
  one("#key").focus();
}

function showCollections({ collection, collections }) {
  const choice = one("#collection");
  choice.hidden = collections.length < 2;
  const options = collections.map((name) =>
    make("option", { value: name, selected: name === collection }, name),
  );
  choice.replaceChildren(...options);
}

one('[data-does="enter"]').addEventListener("submit", (event) => {
  event.preventDefault();
  const key = one("#key").value.trim();
  one("#key").value = "";
  if (/^[!-~]+$/.test(key)) enter(key); // a header can hold nothing else
  else refuse({ code: "admin_key" }, key || "?");
});
one('[data-does="leave"]').addEventListener("click", () => {
  kept.set("key", "");
  location.replace(location.pathname);
});
one('[data-does="retry"]').addEventListener("click", () => enter(""));
one("#collection").addEventListener("change", ({ target }) => {
  api.collection = target.value;
  show();
});
window.addEventListener("hashchange", () => show({ moved: true }));
window.addEventListener("wenqu:refused", ({ detail }) => refuse(detail, "?")); // the key has changed
enter(kept.get("key", ""));
