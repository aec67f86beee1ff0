// The conversation in a frame on somebody's page, which may ask but not read along.

import { Api, good, send } from "./api.js";
import { Conversation } from "./conversation.js";
import { keeper } from "./keep.js";
import { chooseLanguage, localise } from "./strings.js";
import { fitKeyboard } from "./visible.js";

const RENEW_BEFORE_SECONDS = 60;

const given = new URLSearchParams(location.search);
const embedder = given.get("origin") ?? location.origin;
const collection = given.get("collection");
const tab = keeper("sessionStorage");
const key = `session.${collection ?? ""}`;
const root = document.documentElement;
const one = (selector) => document.querySelector(selector);

const t = localise(chooseLanguage(given.get("lang")));
const api = new Api({ token: tokens(), collection });
const conversation = new Conversation(one(".conversation"), t, api);

dress();
listen();
fitKeyboard();
begin();

/** Put on what the page wishes: text as text, and a colour only if it is one. */
function dress() {
  const title = given.get("title") || t("name");
  document.title = title;
  one(".title").textContent = title;
  if (given.get("greeting")) one(".greeting").textContent = given.get("greeting");
  paint(given.get("theme"));
  for (const [name, variable] of [["colour", "--brand"], ["on", "--on-brand"]]) {
    const colour = given.get(name);
    if (colour && CSS.supports("color", colour)) root.style.setProperty(variable, colour);
  }
}

function paint(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
}

function listen() {
  addEventListener("message", ({ origin, source, data }) => {
    if (origin !== embedder || source !== parent) return;
    if (data?.source !== "wenqu" || data.v !== 1) return;
    if (data.type === "open") conversation.focus();
    else if (data.type === "theme") paint(data.theme);
    else if (data.type === "ask" && typeof data.text === "string") conversation.ask(data.text.trim());
  });
  conversation.addEventListener("answer", ({ detail: { refused, citations } }) => {
    tell("answer", { refused, citations: citations.length });
  });
  conversation.addEventListener("session", ({ detail }) => tab.set(key, detail));
  one('[data-does="close"]').addEventListener("click", () => tell("close"));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) tell("close");
  });
  one('[data-does="new"]').addEventListener("click", () => {
    conversation.clear();
    conversation.focus();
  });
}

function tell(type, more = {}) {
  if (parent !== window) parent.postMessage({ source: "wenqu", v: 1, type, ...more }, embedder);
}

async function begin() {
  const before = tab.get(key);
  const kept = before && (await api.session(before).catch(() => null));
  if (kept) conversation.restore(kept);
  tell("ready");
  try {
    conversation.suggest(await api.suggestions());
  } catch (error) {
    if (error.code === "embedder_not_allowed") one(".lead").textContent = t("notAllowed");
  }
}

/** Return what gives the token, a new one shortly before the last one ends. */
function tokens() {
  let current = null; // a promise, so that two requests at once share one token
  let ends = 0;
  return (renew) => {
    if (renew || performance.now() > ends) {
      ends = Infinity;
      current = fetchToken().then(
        ({ token, expires_in: seconds }) => {
          ends = performance.now() + (seconds - RENEW_BEFORE_SECONDS) * 1000;
          return token;
        },
        (error) => {
          ends = 0;
          throw error;
        },
      );
    }
    return current;
  };
}

async function fetchToken() {
  const body = JSON.stringify({ embedder, ...(collection ? { collection } : {}) });
  const headers = { "content-type": "application/json" };
  return (await good(await send("/widget/token", { method: "POST", headers, body }))).json();
}
