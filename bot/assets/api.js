// The HTTP interface as the pages use it: typed errors, streams that can be stopped.

import { events } from "./sse.js";

const SILENT_MILLISECONDS = 40_000; // the server gives a sign of life every 15 s

/**
 * What went wrong, in a form that a view can act on.
 *
 * kind: "offline" (no connection), "busy" (come back after `retryAfter` seconds), "cut" (a stream
 * that ended before its answer) or "problem" (the server says what, in `code` and its texts).
 */
export class ApiError extends Error {
  constructor(kind, { status = 0, code = "", detail = "", detailEn = "", retryAfter = 0 } = {}) {
    super(detailEn || kind);
    Object.assign(this, { kind, status, code, detail, detailEn, retryAfter });
  }
}

export class Api {
  #token;
  #collection;

  /**
   * `token(renew)` resolves to what is sent as Bearer, "" for nothing; `collection` is null for the
   * default one.
   */
  constructor({ token = null, collection = null } = {}) {
    this.#token = token;
    this.#collection = collection;
  }

  /** Ask, and yield the events `meta`, `citation`, `delta` and last `done`. */
  async *chat(question, sessionId, signal) {
    let whole = false;
    const watch = new AbortController();
    const stop = () => watch.abort();
    signal.addEventListener("abort", stop);
    let timer = setTimeout(stop, SILENT_MILLISECONDS);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENT_MILLISECONDS);
    };
    try {
      const body = { question, stream: true, ...this.#named() };
      if (sessionId) body.session_id = sessionId;
      const response = await this.#send("POST", "/api/chat", { body, signal: watch.signal });
      for await (const { name, data } of events(response, alive)) {
        if (name === "error") throw ofProblem(data.status, data);
        whole ||= name === "done";
        yield { name, data };
      }
      if (!whole) throw new ApiError("cut");
    } catch (error) {
      if (whole) return; // it was all there before the line broke
      if (signal.aborted || error instanceof ApiError) throw error;
      throw new ApiError(watch.signal.aborted ? "offline" : "cut");
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  async suggestions() {
    const query = new URLSearchParams(this.#named());
    return (await (await this.#send("GET", `/api/suggestions?${query}`)).json()).questions;
  }

  async session(id) {
    return (await this.#send("GET", `/api/sessions/${encodeURIComponent(id)}`)).json();
  }

  async deleteSession(id) {
    await this.#send("DELETE", `/api/sessions/${encodeURIComponent(id)}`);
  }

  async vote(turnId, vote, comment = "") {
    await this.#send("POST", "/api/feedback", { body: { turn_id: turnId, vote, comment } });
  }

  #named() {
    return this.#collection ? { collection: this.#collection } : {};
  }

  async #send(method, path, { body, signal, renewed = false } = {}) {
    const headers = body ? { "content-type": "application/json" } : {};
    const token = await this.#token?.(renewed);
    if (token) headers.authorization = `Bearer ${token}`;
    const response = await send(path, { method, headers, body: body && JSON.stringify(body), signal });
    if (response.status === 401 && this.#token && !renewed) {
      return this.#send(method, path, { body, signal, renewed: true });
    }
    return good(response);
  }
}

/** Fetch from our own server, without cookies; no answer at all is an `ApiError` too. */
export async function send(path, init) {
  try {
    return await fetch(path, { credentials: "omit", cache: "no-store", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError("offline");
  }
}

/** Return a response that went well, or throw what its problem says. */
export async function good(response) {
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("retry-after")) || 0;
  throw ofProblem(response.status, { retry_after: wait, ...problem });
}

function ofProblem(status, { code, detail, detail_en: detailEn, retry_after: retryAfter = 0 }) {
  const kind = retryAfter && [429, 503].includes(status) ? "busy" : "problem";
  return new ApiError(kind, { status, code, detail, detailEn, retryAfter });
}
