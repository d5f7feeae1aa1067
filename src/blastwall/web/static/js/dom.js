// Building the page. Text becomes text nodes and nothing else: no markup is ever parsed out of a value.

const SVG = "http://www.w3.org/2000/svg";
const SAFE_ADDRESS = /^(#\/|\/(?!\/))/;
const ALLOWED = /^(aria-[a-z]+|data-[a-z-]+|[a-z]+)$/i;
const FORBIDDEN = /^(on.*|style|srcdoc|innerhtml|outerhtml|src)$/i;

/**
 * Build one element: `h("p.note", {title: "…", onclick: f}, "text", node, [more])`.
 *
 * Functions under `on…` become listeners; true and false set and leave out an attribute; null is left out. An `href`
 * must lead into this page or this server; `external` builds links that lead elsewhere.
 */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  const [first] = rest;
  const attributes = first && Object.getPrototypeOf(first) === Object.prototype ? rest.shift() : {};
  for (const [key, value] of Object.entries(attributes)) set(element, key, value);
  append(element, rest);
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function" && key.startsWith("on")) {
    element.addEventListener(key.slice(2), value);
  } else if (key === "class") {
    for (const one of String(value).split(" ").filter(Boolean)) element.classList.add(one);
  } else if (key === "value" || key === "checked") {
    element[key] = value;
    if (key === "checked") element.defaultChecked = value;
  } else if (FORBIDDEN.test(key) || !ALLOWED.test(key)) {
    throw new TypeError(`the attribute ${key} is never set from here`);
  } else if (key === "href" && !SAFE_ADDRESS.test(value)) {
    throw new TypeError("a link leads into this page or this server");
  } else {
    element.setAttribute(key, value === true ? "" : String(value));
  }
}

/** Append texts, nodes and lists of them; null, undefined and false are left out. */
export function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** Return one of the icons of icons.svg; it is decoration, so its meaning must stand beside it in words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  svg.append(use);
  return svg;
}

/** Return a link to an https address that somebody else named; anything else is shown as the text that it is. */
export function external(address, label = address) {
  let parsed = null;
  try {
    parsed = new URL(address);
  } catch {
    return text(label);
  }
  if (parsed.protocol !== "https:" || parsed.username || parsed.password) return text(label);
  const link = h("a.external", { target: "_blank", rel: "noopener noreferrer nofollow", title: parsed.href }, text(label), icon("away"), h("span.sr", " (opens in a new tab)"));
  link.setAttribute("href", parsed.href);
  return link;
}

// Controls, bidirectional marks, and what has no width: they could make a text read otherwise than it runs.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Return a text as nodes in which every character that cannot be seen stands as its code point. */
export function seen(value) {
  const whole = String(value);
  const parts = [];
  let from = 0;
  for (const found of whole.matchAll(UNSEEN)) {
    if (found[0] === "\r" && whole[found.index + 1] === "\n") continue;
    if (found.index > from) parts.push(whole.slice(from, found.index));
    const code = `U+${found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    parts.push(h("span.unseen", { title: "a character that cannot be seen" }, code));
    from = found.index + found[0].length;
  }
  if (from < whole.length) parts.push(whole.slice(from));
  return parts;
}

/** Return foreign text in an element of its own, so that its direction stays its own too. */
export function text(value, tag = "bdi") {
  return h(tag, seen(value));
}

/** The hash address of a page, each part escaped. */
export function to(...parts) {
  return `#/${parts.map((part) => encodeURIComponent(part)).join("/")}`;
}

/**
 * Bring the children of `parent` to `items` in their order: those with the same key stay where they are and are
 * updated, so that nothing jumps, and focus and scroll stay.
 */
export function reconcile(parent, items, key, build, update = () => {}) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = old.get(name);
    if (node) {
      old.delete(name);
      const updated = update(node, item) ?? node;
      if (node === place) place = updated;
      node = updated;
    } else {
      node = build(item);
    }
    node.dataset.key = name;
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const gone of old.values()) gone.remove();
}

/** Say something to those who hear the page instead of seeing it. */
export function announce(message, urgent = false) {
  const region = document.getElementById(urgent ? "urgent" : "polite");
  region.textContent = "";
  setTimeout(() => { region.textContent = message; }, 60);
}
