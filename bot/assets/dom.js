// Building the page from data. Nothing here or elsewhere turns text into HTML.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h10v10H9zM5 15V5h10",
  done: "M5 12.5l4.5 4.5L19 7.5",
  up: "M7 11v9H4v-9zM7 11l4-7c1.7 0 2.5 1 2.3 2.6L13 10h5.2c1.2 0 2 1.1 1.7 2.3l-1.5 6c-.3 1-1.1 1.7-2.1 1.7H7",
  down: "M17 13V4h3v9zM17 13l-4 7c-1.7 0-2.5-1-2.3-2.6L11 14H5.8c-1.2 0-2-1.1-1.7-2.3l1.5-6C5.9 4.7 6.7 4 7.7 4H17",
  retry: "M19 12a7 7 0 1 1-2.05-4.95L19 9M19 4v5h-5",
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  open: "M14 5h5v5M19 5l-8 8M11 6H5v13h13v-6",
  more: "M8 10l4 4 4-4",
};

/** Make an element: `class`, `on`, and attributes (false and null leave one out), then children. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Make one of our drawings; the name of what it stands for is said beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Make a button with a drawing and a name, which shows only if `text` says so. */
export function iconButton(name, label, click, { text = false, ...more } = {}) {
  const named = text ? [label] : [];
  const label_ = text ? {} : { "aria-label": label, title: label };
  return make(
    "button",
    { type: "button", class: "button quiet icon-button", ...label_, ...more, on: { click } },
    icon(name),
    ...named,
  );
}

/** Make a link that may be followed, or null: only http and https leave this page. */
export function link(url, properties, ...children) {
  if (!isWeb(url)) return null;
  const safe = { href: url, target: "_blank", rel: "noopener noreferrer nofollow" };
  return make("a", { ...properties, ...safe }, ...children);
}

export function isWeb(url) {
  if (typeof url !== "string" || !url) return false;
  try {
    return ["http:", "https:"].includes(new URL(url, location.href).protocol);
  } catch {
    return false;
  }
}
