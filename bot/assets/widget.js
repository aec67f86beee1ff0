// The loader: a button on somebody's page, and behind it our frame.
// <script src="https://…/widget.js" data-wenqu data-title="…" async></script>
(() => {
  const script = document.currentScript ?? document.querySelector("script[data-wenqu]");
  if (!script || window.wenqu) return;
  const { title, colour, greeting, collection, lang = "auto", theme = "auto", position } = script.dataset;
  const home = new URL(script.src).origin;
  const names = { "zh-Hans": ["打开问答", "关闭问答"], "zh-Hant": ["開啟問答", "關閉問答"], en: ["Ask a question", "Close"] };
  const preferred = navigator.language;
  const language = names[lang] ? lang
    : /^zh.*(hant|tw|hk|mo)/i.test(preferred) ? "zh-Hant" : /^en/i.test(preferred) ? "en" : "zh-Hans";
  const [openName, closeName] = names[language];

  const css = `
:host { all: initial; color-scheme: light dark; }
:host([data-theme="light"]) { color-scheme: light; }
:host([data-theme="dark"]) { color-scheme: dark; }
:host([hidden]) { display: none; }
button, .panel { position: fixed; z-index: 2147483000; inset-inline: auto max(20px, env(safe-area-inset-right)); }
.left { inset-inline: max(20px, env(safe-area-inset-left)) auto !important; }
button { bottom: max(20px, env(safe-area-inset-bottom)); width: 56px; height: 56px; padding: 0; border: 0; border-radius: 50%;
  color: var(--on, light-dark(#fff, #06302f)); background: var(--brand, light-dark(#0b6b6e, #6accc5));
  box-shadow: 0 4px 16px #0004; cursor: pointer; transition: scale 140ms; }
button:hover { scale: 1.05; }
button:focus-visible { outline: 3px solid light-dark(#0b6b6e, #6accc5); outline-offset: 3px; }
svg { width: 26px; height: 26px; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; vertical-align: middle; }
.panel { bottom: calc(max(20px, env(safe-area-inset-bottom)) + 68px); width: 408px; height: min(680px, 100dvh - 112px);
  overflow: hidden; border: 1px solid light-dark(#dde2e0, #303b3f); border-radius: 16px; background: light-dark(#fbfbf9, #121719);
  box-shadow: 0 16px 48px #0003; transition: opacity 160ms, translate 160ms; }
.panel[hidden] { display: block; visibility: hidden; opacity: 0; translate: 0 12px; transition: opacity 160ms, translate 160ms, visibility 0s 160ms; }
iframe { display: block; width: 100%; height: 100%; border: 0; color-scheme: inherit; }
@media (max-width: 480px) {
  .panel { inset: 0 !important; width: 100vw; height: 100dvh; border: 0; border-radius: 0; }
  .panel:not([hidden]) + button { display: none; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }`;

  const host = document.createElement("wenqu-widget");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // a strict policy of the page forbids <style>, not this
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  host.dataset.theme = theme;

  const panel = document.createElement("div");
  panel.className = "panel";
  panel.hidden = true;
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", title || openName);
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-haspopup", "dialog");
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(drawing.namespaceURI, "path");
  drawing.append(path);
  button.append(drawing);
  for (const each of [panel, button]) each.classList.toggle("left", position === "left");
  root.append(panel, button);

  const on = colour && readable(colour);
  if (on) {
    host.style.setProperty("--brand", colour);
    host.style.setProperty("--on", on);
  }

  let frame = null;
  let ready = false;
  let waiting = [];

  const wenqu = Object.assign(new EventTarget(), { open, close, ask, destroy });
  window.wenqu = wenqu;
  button.addEventListener("click", () => (panel.hidden ? open() : close()));
  root.addEventListener("keydown", (event) => event.key === "Escape" && close());
  addEventListener("message", hear);
  show(false);
  if (document.body) document.body.append(host);
  else addEventListener("DOMContentLoaded", () => document.body.append(host), { once: true });
  document.dispatchEvent(new CustomEvent("wenqu", { detail: wenqu }));

  function open() {
    frame ??= load();
    if (!panel.hidden) return;
    show(true);
    frame.focus();
    tell("open");
  }

  function close() {
    if (panel.hidden) return;
    show(false);
    button.focus();
  }

  function ask(text) {
    if (typeof text !== "string" || !text.trim()) throw new TypeError("wenqu.ask wants a question");
    open();
    tell("ask", { text });
  }

  function destroy() {
    removeEventListener("message", hear);
    host.remove();
    if (window.wenqu === wenqu) delete window.wenqu;
  }

  function show(shown) {
    panel.hidden = !shown;
    path.setAttribute("d", shown ? "M6 9l6 6 6-6" : "M5 5h14v11h-7l-5 4v-4H5zM9 9h6M9 12h4");
    button.setAttribute("aria-expanded", shown);
    button.setAttribute("aria-label", shown ? closeName : title || openName);
    wenqu.dispatchEvent(new CustomEvent(shown ? "open" : "close"));
  }

  function load() {
    const made = document.createElement("iframe");
    const query = new URLSearchParams({ origin: location.origin, lang: language, theme });
    const more = { title, greeting, collection, ...(on ? { colour, on } : {}) };
    for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
    made.title = title || openName;
    // a browser shows no page with an opener policy in a sandbox: a source escapes it
    made.setAttribute(
      "sandbox",
      "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox",
    );
    made.referrerPolicy = "origin";
    made.allow = "clipboard-write";
    made.src = `${home}/widget/frame?${query}`;
    panel.append(made);
    return made;
  }

  function tell(type, more = {}) {
    if (ready) frame.contentWindow.postMessage({ source: "wenqu", v: 1, type, ...more }, home);
    else waiting.push([type, more]);
  }

  function hear({ origin, source, data }) {
    if (origin !== home || !frame || source !== frame.contentWindow) return;
    if (data?.source !== "wenqu" || data.v !== 1) return;
    if (data.type === "close") close();
    else if (data.type === "ready") {
      ready = true;
      for (const each of waiting.splice(0)) tell(...each);
      wenqu.dispatchEvent(new CustomEvent("ready"));
    } else if (data.type === "answer") {
      // that there was an answer, not what it said: the conversation is the reader's own
      const detail = { refused: data.refused === true, citations: Number(data.citations) || 0 };
      wenqu.dispatchEvent(new CustomEvent("answer", { detail }));
    }
  }

  /** Return black or white, whichever reads better on a colour; "" if it is no colour. */
  function readable(name) {
    if (!CSS.supports("color", name)) return "";
    const context = document.createElement("canvas").getContext("2d");
    context.fillStyle = name;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...context.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
  }
})();
