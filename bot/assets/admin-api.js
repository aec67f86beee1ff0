// What the admin page asks of the server, always with the key and for one collection.

import { ApiError, good, send } from "./api.js";

export class AdminApi {
  key = "";
  collection = null;

  async get(path, values = {}) {
    const response = await send(this.#url(path, values), { method: "GET", headers: this.#headers() });
    return (await good(response)).json();
  }

  async delete(path) {
    const response = await send(this.#url(path), { method: "DELETE", headers: this.#headers() });
    return (await good(response)).json();
  }

  addText(title, text, source) {
    const body = JSON.stringify({ title, text, source });
    return this.#post(body, { "content-type": "application/json" });
  }

  /** Upload files; `told` hears how much has been sent, 0 to 1. */
  addFiles(files, told) {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name);
    return this.#post(form, {}, told);
  }

  /** Only XMLHttpRequest tells how much of an upload has been sent. */
  async #post(body, headers, told = () => {}) {
    const request = new XMLHttpRequest();
    const response = await new Promise((resolve, reject) => {
      request.open("POST", this.#url("/api/documents"));
      for (const [name, value] of Object.entries({ ...this.#headers(), ...headers })) {
        request.setRequestHeader(name, value);
      }
      request.upload.addEventListener("progress", ({ loaded, total }) => told(loaded / total));
      request.addEventListener("error", () => reject(new ApiError("offline")));
      request.addEventListener("load", () => {
        const wait = request.getResponseHeader("retry-after") ?? "";
        const { status, responseText } = request;
        resolve(new Response(responseText, { status, headers: { "retry-after": wait } }));
      });
      request.send(body);
    });
    return (await good(response)).json();
  }

  #url(path, values = {}) {
    const named = this.collection ? { collection: this.collection } : {};
    const query = new URLSearchParams({ ...values, ...named });
    return `${path}${query.size ? `?${query}` : ""}`;
  }

  #headers() {
    return this.key ? { authorization: `Bearer ${this.key}` } : {};
  }
}

/** Return the path of a document, whose id may hold anything. */
export function documentPath(id) {
  return `/api/documents/${id.split("/").map(encodeURIComponent).join("/")}`;
}

/** Return what to tell of an error. */
export function saidOf(error) {
  if (!(error instanceof ApiError)) throw error;
  return error.detail || "连不上服务，请检查网络，稍后再试。";
}
