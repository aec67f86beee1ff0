// What the views of the admin page share: loading, telling what went wrong, long lists.

import { saidOf } from "./admin-api.js";
import { make } from "./dom.js";

const PAGE = 100; // entries shown at once

export class View {
  constructor(element, api) {
    this.element = element;
    this.api = api;
  }

  is(name) {
    return this.element.querySelector(`[data-is="${name}"]`);
  }

  does(name) {
    return this.element.querySelector(`[data-does="${name}"]`);
  }

  /** Return what `work` resolves to; if it fails, say why and return undefined. */
  async attempt(work) {
    this.tell();
    this.element.setAttribute("aria-busy", "true");
    try {
      return await work();
    } catch (error) {
      if (["admin_key", "no_admin_key"].includes(error.code)) {
        window.dispatchEvent(new CustomEvent("wenqu:refused", { detail: error }));
      } else {
        this.tell(make("p", { class: "notice bad" }, saidOf(error)));
      }
      return undefined;
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }

  /** Say something to whoever looks and whoever listens. */
  tell(...said) {
    this.is("result").replaceChildren(...said);
  }

  /** Show a list, its beginning first, `empty` if nothing is in it. */
  list(items, entry, empty) {
    const list = this.is("list");
    const more = this.does("more");
    let shown = 0;
    const show = () => {
      list.append(...items.slice(shown, shown + PAGE).map(entry));
      shown += PAGE;
      more.hidden = shown >= items.length;
    };
    list.replaceChildren(...(items.length ? [] : [make("li", { class: "none" }, empty)]));
    more.onclick = () => {
      const first = shown;
      show();
      list.children[first]?.querySelector("a, button")?.focus();
    };
    show();
  }
}

const DAY = new Intl.DateTimeFormat("zh-CN", { dateStyle: "medium", timeStyle: "short" });
const NUMBER = new Intl.NumberFormat("zh-CN");

export const number = (value) => NUMBER.format(value);

export function time(iso) {
  return make("time", { datetime: iso }, DAY.format(new Date(iso)));
}
