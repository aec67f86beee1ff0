// The text of an answer as elements: paragraphs, lists, **bold**, `code` and markers such as [1].
// Anything else stands there as it was written.

import { make } from "./dom.js";
import { documentLanguage } from "./strings.js";

const ITEM = /^(?:[-*•] |([0-9]{1,3})[.、)] )/;
const INLINE = /\[([0-9]{1,3})\]|\*\*([^*\n]+)\*\*|`([^`\n]+)`/g;

/** Grows at its end: what stands there is not made again, so that a reader keeps their place. */
export class Prose {
  #marker;
  #line = null; // the element that the last line is in
  #list = null;
  #fresh = true; // the next text begins a line
  text = "";

  /** `marker(number)` makes what stands for [number], or null where there is no such source. */
  constructor(marker) {
    this.#marker = marker;
    this.element = make("div", { class: "prose", lang: documentLanguage() });
  }

  append(text) {
    this.text += text;
    const [first, ...others] = text.split("\n");
    this.#extend(first);
    for (const line of others) {
      this.#fresh = true;
      this.#extend(line);
    }
  }

  #extend(text) {
    if (!text) return;
    const rest = this.#fresh ? this.#begin(text) : text;
    this.#fresh = false;
    this.#line.append(make("span", { class: "said" }, ...inline(rest, this.#marker)));
  }

  /** Begin a line and return its text without the mark of a list item. */
  #begin(text) {
    const item = ITEM.exec(text);
    if (!item) {
      this.#list = null;
      this.#line = make("p");
      this.element.append(this.#line);
      return text;
    }
    const tag = item[1] ? "ol" : "ul";
    if (this.#list?.localName !== tag) {
      this.#list = make(tag, item[1] && item[1] !== "1" ? { start: item[1] } : {});
      this.element.append(this.#list);
    }
    this.#line = make("li");
    this.#list.append(this.#line);
    return text.slice(item[0].length);
  }
}

function inline(text, marker) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    const made = found[1]
      ? marker(Number(found[1]))
      : make(found[2] ? "strong" : "code", {}, found[2] ?? found[3]);
    if (!made) continue; // stays as it was written
    // a marker never begins a line
    parts.push(text.slice(at, found.index) + (found[1] ? "\u2060" : ""), made);
    at = found.index + found[0].length;
  }
  return [...parts, text.slice(at)];
}
