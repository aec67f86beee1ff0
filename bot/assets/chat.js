// The chat page, put together.

import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { Door } from "./door.js";
import { History } from "./history.js";
import { keeper } from "./keep.js";
import { chooseLanguage, localise } from "./strings.js";
import { fitKeyboard } from "./visible.js";

const kept = keeper("localStorage");
const tab = keeper("sessionStorage");
const root = document.documentElement;
const address = new URLSearchParams(location.search);
const all = (selector) => document.querySelectorAll(selector);
const one = (selector) => document.querySelector(selector);

const language = chooseLanguage(kept.get("language"));
const t = localise(language);
document.title = t("name");
const door = new Door(tab, one(".door"));
const api = new Api({
  collection: address.get("collection"),
  token: (refused) => door.key(refused),
});
const conversation = new Conversation(one(".conversation"), t, api);
const history = new History(one(".history-list"), one('[data-does="remove-all"]'), { t, keep: kept, api });

setUpChoices();
setUpDrawer();
setUpHistory();
fitKeyboard();
greet();

function setUpChoices() {
  const theme = one('[data-does="theme"]');
  const show = () => {
    if (theme.value) root.dataset.theme = theme.value;
    else delete root.dataset.theme;
  };
  theme.value = kept.get("theme", "");
  show();
  theme.addEventListener("change", () => {
    kept.set("theme", theme.value);
    show();
  });
  const languages = one('[data-does="language"]');
  languages.value = language;
  languages.addEventListener("change", () => {
    kept.set("language", languages.value);
    location.reload(); // the conversation comes back from the server
  });
}

function setUpDrawer() {
  const drawer = one(".history");
  const menu = one('[data-does="menu"]');
  const curtain = one(".curtain");
  const open = (opened) => {
    if (opened === drawer.hasAttribute("data-open")) return;
    drawer.toggleAttribute("data-open", opened);
    for (const behind of all(".top, .conversation")) behind.inert = opened;
    curtain.hidden = !opened;
    menu.setAttribute("aria-expanded", String(opened));
    (opened ? one('[data-does="close"]') : menu).focus();
  };
  menu.addEventListener("click", () => open(true));
  curtain.addEventListener("click", () => open(false));
  one('[data-does="close"]').addEventListener("click", () => open(false));
  addEventListener("keydown", (event) => event.key === "Escape" && open(false));
  history.addEventListener("open", () => open(false));
  for (const button of all('[data-does="new"]')) {
    button.addEventListener("click", () => {
      open(false);
      conversation.clear();
      conversation.focus();
    });
  }
}

function setUpHistory() {
  let first = ""; // what a conversation that has no session yet began with
  conversation.addEventListener("asked", ({ detail }) => (first = conversation.session ? "" : detail));
  conversation.addEventListener("session", ({ detail: id }) => {
    tab.set("session", id);
    if (id && first) history.note(id, first);
    else history.current = id;
  });
  history.addEventListener("open", ({ detail }) => restore(detail.id));
  history.addEventListener("removed", ({ detail }) => detail === conversation.session && conversation.clear());
  history.addEventListener("failed", () => say(t("removeFailed")));
}

async function restore(id) {
  try {
    const session = await api.session(id);
    conversation.restore(session);
  } catch (error) {
    say(error.status === 404 ? t("gone") : t("offline"));
  }
}

async function greet() {
  const before = tab.get("session");
  if (before) restore(before);
  if (matchMedia("(pointer: fine)").matches) conversation.focus();
  const question = address.get("q");
  if (question) conversation.edit(question);
  try {
    conversation.suggest(await api.suggestions());
  } catch {
    // the page does without them
  }
}

function say(text) {
  const notice = one(".connection");
  notice.textContent = text;
  notice.hidden = false;
  setTimeout(() => {
    notice.hidden = navigator.onLine;
    notice.textContent = t("offlineNow");
  }, 5000);
}
