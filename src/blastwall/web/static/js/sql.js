// Statements and policies, readable: line numbers, and colours that only repeat what the text says.

import { fill, h, seen } from "./dom.js";
import { button } from "./parts.js";

const SQL_WORDS = new Set(("add all alter analyze and any as asc begin between by call cascade case check column commit conflict copy create cross cte current "
  + "database declare default delete desc distinct do drop else end except exec execute exists explain extension false fetch for foreign from full function grant group "
  + "having if ilike in index inner insert intersect into is join key lateral left like limit lock materialized merge natural not null of offset on only or order outer output "
  + "over partition primary procedure program recursive references rename replace restrict returning revoke right role rollback row schema select sequence set show "
  + "table temp temporary then to top transaction trigger true truncate union unique update using values view when where window with").split(" "));
const CEDAR_WORDS = new Set("permit forbid when unless principal action resource context in is has like if then else true false".split(" "));

const SQL = /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<string>[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|[nN]?'(?:[^']|'')*(?:'|$)|\$(?<tag>[A-Za-z_]*)\$[\s\S]*?(?:\$\k<tag>\$|$))|(?<name>"(?:[^"]|"")*(?:"|$))|(?<bind>\$\d+|@{1,2}[A-Za-z_#][\w@#$]*)|(?<number>\b\d+(?:\.\d+)?\b)|(?<word>[A-Za-z_][\w$]*)/g;
const CEDAR = /(?<comment>\/\/[^\n]*)|(?<string>"(?:[^"\\]|\\.)*(?:"|$))|(?<name>@\w+)|(?<number>\b\d+\b)|(?<word>[A-Za-z_]\w*)/g;
const HTTP = /(?<string>"(?:[^"\\]|\\.)*(?:"|$))|(?<number>(?<![\w.-])-?\d+(?:\.\d+)?(?![\w.-]))|(?<word>\b[A-Za-z]+\b)/g;
const HTTP_WORDS = new Set("get head post put patch delete options query true false null".split(" "));
const LANGUAGES = { sql: [SQL, SQL_WORDS], cedar: [CEDAR, CEDAR_WORDS], http: [HTTP, HTTP_WORDS] };
const MOST_LINES = 400;
const FEW_LINES = 15;

/** What a statement is written in: a request begins with its method and URL. */
export const languageOf = (whole) => (/^[A-Z]+ https?:\/\//.test(whole) ? "http" : "sql");

/** Cut a text into `[kind, text]`; joined, the texts are the text. */
export function tokens(whole, language = "sql") {
  const [pattern, words] = LANGUAGES[language];
  const cut = [];
  let from = 0;
  for (const found of whole.matchAll(pattern)) {
    const kind = Object.keys(found.groups).find((name) => name !== "tag" && found.groups[name] !== undefined);
    if (kind === "word" && !words.has(found[0].toLowerCase())) continue;
    if (found.index > from) cut.push(["", whole.slice(from, found.index)]);
    cut.push([kind, found[0]]);
    from = found.index + found[0].length;
  }
  if (from < whole.length) cut.push(["", whole.slice(from)]);
  return cut;
}

function lines(whole, language) {
  const rows = [[]];
  for (const [kind, part] of tokens(whole, language)) {
    part.split("\n").forEach((piece, at) => {
      if (at) rows.push([]);
      if (piece) rows.at(-1).push(kind ? h(`span.t-${kind}`, seen(piece)) : seen(piece));
    });
  }
  return rows;
}

/** A readable block. Nothing is cut without saying so: what is long opens whole. */
export function source(whole, { label = "Statement", language = "sql" } = {}) {
  const rows = lines(String(whole), language);
  const list = h("code.lines");
  const block = h("div.source", { tabindex: "0", role: "region", "aria-label": label }, list);
  const show = (some) => fill(list, some.map((row) => h("span.line", row.length ? row : "\u200b")));
  show(rows.slice(0, MOST_LINES));
  // The block scrolls: how much there is must be seen without scrolling, or blank lines could hide the end.
  const count = rows.length > FEW_LINES ? h("p.linecount", `${rows.length.toLocaleString()} lines`) : null;
  if (rows.length <= MOST_LINES) return h("div.sourcebox", count, block);
  const rest = h("p.more", h("b", `${rows.length - MOST_LINES} more lines. `), button("Show them all", { onclick: () => { show(rows); rest.remove(); block.focus(); } }));
  return h("div.sourcebox", count, block, rest);
}

/** A statement on one line, for lists: white space folded, cut by the style sheet alone. */
export function oneLine(whole) {
  const folded = String(whole).replace(/\s+/g, " ").trim().slice(0, 300);
  return h("code.one", tokens(folded, languageOf(folded)).map(([kind, part]) => (kind ? h(`span.t-${kind}`, seen(part)) : seen(part))));
}

/** Bind values by what they are declared as, else by their place, named as the text names places; null is told apart from a text that says so. */
export function binds(parameters, whole, declared = []) {
  if (!parameters?.length) return null;
  const mark = /\$\d/.test(whole) ? "$" : "";
  return h("dl.binds", { "aria-label": "Bind values" }, parameters.map((value, at) =>
    h("div", h("dt", declared[at] ? seen(declared[at]) : `${mark}${at + 1}`), h("dd", value === null ? h("i", "null") : h("code", seen(value))))));
}
