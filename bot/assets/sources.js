// Where an answer comes from: markers in its text, and cards beside it.

import { icon, link, make } from "./dom.js";
import { documentLanguage } from "./strings.js";

const AROUND = 28; // characters of the passage shown on each side of the quote
const MOST_CITES = 50; // in the address of a source
const BULLET = /^(?:[-*•]|[0-9]{1,3}[.)、])\s+/;
let panels = 0;

/** The sources of one answer. Those of the same section share a card. */
export class Sources {
  #t;
  #cards = new Map(); // of a place: its list of quotes
  #quotes = new Map(); // of a number: its element
  #links = []; // to the words of a source, each with its citation
  #button;
  citations = [];

  constructor(t) {
    this.#t = t;
    const id = `sources-${++panels}`;
    this.list = make("ol", { class: "source-list", id });
    this.#button = make(
      "button",
      {
        type: "button",
        class: "sources-toggle",
        "aria-expanded": "false",
        "aria-controls": id,
        on: { click: () => this.show(!this.shown) },
      },
      make("span"),
      icon("more"),
    );
    this.element = make(
      "section",
      { class: "sources", "aria-label": t("sources"), hidden: true },
      this.#button,
      this.list,
    );
  }

  get shown() {
    return this.#button.getAttribute("aria-expanded") === "true";
  }

  show(shown) {
    this.#button.setAttribute("aria-expanded", String(shown));
    this.element.toggleAttribute("data-open", shown);
  }

  add(citation) {
    if (this.#quotes.has(citation.number)) return;
    this.citations.push(citation);
    const place = JSON.stringify([citation.document_id, citation.headings]);
    if (!this.#cards.has(place)) this.#cards.set(place, this.#card(citation));
    const quote = this.#quote(citation);
    this.#quotes.set(citation.number, quote);
    this.#cards.get(place).append(quote);
    this.element.hidden = false;
    const count = this.citations.length;
    this.#button.firstChild.textContent = this.#t("showSources", { count });
  }

  /** Make the marker of a source: one click from the words it stands on. */
  marker(number) {
    const citation = this.citations.find((each) => each.number === number);
    if (!citation) return null;
    const title = [citation.title, ...below(citation)].join(" › ");
    const label = this.#t("marker", { number, title });
    const light = (on) => () => this.#quotes.get(number).toggleAttribute("data-lit", on);
    const properties = {
      class: "marker",
      "aria-label": label,
      title,
      on: { mouseenter: light(true), mouseleave: light(false), focus: light(true), blur: light(false) },
    };
    return (
      this.#view(citation, properties, String(number)) ??
      make("span", { class: "marker", role: "img", "aria-label": label }, String(number))
    );
  }

  /** Make a link to the cited words, or null; from there, the next ones are one click away. */
  #view(citation, properties, ...children) {
    const made = link(citation.view_url, properties, ...children);
    if (!made) return null;
    this.#links.push([made, citation]);
    this.#relink(citation.document_id);
    return made;
  }

  /** Tell every link to a document what else of it this answer cites. */
  #relink(id) {
    const same = this.citations.filter((each) => each.document_id === id).slice(0, MOST_CITES);
    if (same.length < 2) return;
    const cites = same.map(({ start, end }) => `${start}-${end}`).join(",");
    for (const [made, citation] of this.#links) {
      if (citation.document_id === id) made.href = `${citation.view_url}&cites=${cites}`;
    }
  }

  #card(citation) {
    const quotes = make("ol", { class: "quotes" });
    const path = below(citation);
    this.list.append(
      make(
        "li",
        { class: "source" },
        make("p", { class: "source-title" }, citation.title),
        path.length ? make("p", { class: "source-path" }, path.join(" › ")) : null,
        quotes,
        link(citation.source_url, { class: "source-original" }, this.#t("original")),
      ),
    );
    return quotes;
  }

  #quote(citation) {
    const { number } = citation;
    const body = [
      make("span", { class: "quote-number" }, String(number)),
      citation.quote
        ? make("blockquote", { lang: documentLanguage() }, ...inContext(citation))
        : make("span", { class: "source-path" }, this.#t("deleted")),
    ];
    const view = `${this.#t("view")} ${number}`;
    const go = this.#view(citation, { class: "quote" }, ...body, make("span", { class: "quote-view" }, this.#t("view"), icon("open")));
    go?.setAttribute("aria-description", view);
    return make("li", { "data-number": number }, go ?? make("div", { class: "quote" }, ...body));
  }
}

/** Return the headings of a citation without its title, which documents often open with. */
function below({ title, headings }) {
  return headings[0] === title ? headings.slice(1) : headings;
}

/** Return the quote, marked, with some of the passage around it. */
function inContext({ quote, passage }) {
  const at = passage.indexOf(quote);
  const bullet = BULLET.exec(quote)?.[0] ?? "";
  const marked = make("mark", {}, quote.slice(bullet.length));
  if (at < 0) return [bullet, marked];
  const before = passage.slice(0, at).split("\n").pop();
  const after = passage.slice(at + quote.length).split("\n")[0];
  const [head, tail] = [Array.from(before), Array.from(after)];
  return [
    head.length > AROUND ? `…${head.slice(-AROUND).join("")}` : before,
    bullet,
    marked,
    tail.length > AROUND ? `${tail.slice(0, AROUND).join("")}…` : after,
  ];
}

/** Return the sources as plain text, to be pasted below an answer. */
export function asText(citations, t) {
  return citations
    .map((citation) => {
      const place = [citation.title, ...below(citation)].join(" › ");
      const url = citation.view_url ? `\n${new URL(citation.view_url, location.href).href}` : "";
      return `[${citation.number}] ${place}\n${citation.quote || t("deleted")}${url}`;
    })
    .join("\n");
}
