// Server-Sent Events from a fetch, which unlike EventSource can POST and be stopped.

const LINE_END = /\r\n|\n|\r(?!$)/; // a CR at the very end may be half of a CRLF

/** Yield `{name, data}` of each whole event of a response; `alive` is called for every chunk. */
export async function* events(response, alive = () => {}) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let name = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      const lines = (rest + value).split(LINE_END);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length) yield { name, data: JSON.parse(data.join("\n")) };
          [name, data] = ["", []];
        } else if (line.startsWith("event:")) {
          name = line.slice(6).trim();
        } else if (line.startsWith("data:")) {
          data.push(line.slice(5).replace(/^ /, ""));
        } // comments, ids and what the future brings
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
