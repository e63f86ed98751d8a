// Builds elements. Text goes in as text, never as markup: nothing that a server or a rider wrote becomes HTML.
const SVG = "http://www.w3.org/2000/svg";

// h("p", { class: "note", onclick: f }, "text", child, null) -> element; null and false attributes and children are
// left out.
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

const PATHS = {
  code: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h3v3M20 14v.01M14 20h.01M17.5 20H20v-2.5",
  add: "M12 5v14M5 12h14",
  take: "M5 12h14",
  trips: "M5 17V7a2 2 0 0 1 2-2h10a2 2 0 0 1 2 2v10zM5 12h14M8 17v2M16 17v2M8.5 14.5h.01M15.5 14.5h.01",
  language: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c5 6 5 12 0 18M12 3c-5 6-5 12 0 18",
  lost: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM4 4l16 16",
  leave: "M14 4H6v16h8M10 12h10M17 9l3 3-3 3",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  on: "M9 5l7 7-7 7",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  offline: "M3 9a13 13 0 0 1 18 0M6.5 12.5a8 8 0 0 1 11 0M10 16a3 3 0 0 1 4 0M4 3l16 18",
  done: "M5 13l4 4L19 7",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4 12H2M22 12h-2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  install: "M12 4v10M8 11l4 4 4-4M5 19h14",
};

// A small drawing beside words that say the same; screen readers pass over it.
export function icon(name, extra = "") {
  return s(
    "svg",
    { class: `icon ${extra}`.trim(), viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    s("path", { d: PATHS[name] }),
  );
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}
