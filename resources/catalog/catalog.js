// The catalog's script: search as you type, times that stay true, copying, and a page that follows the store.
// Every page works without it.
"use strict";

// --- search -------------------------------------------------------------------------------------------------------

const field = document.querySelector("#q");
const list = document.querySelector("#hits");
let hits = [];
let chosen = -1;
let asked = 0;

function marked(text, words) {
  // Text with the words typed in <mark>, built from nodes: nothing from the store is ever read as HTML.
  const into = document.createDocumentFragment();
  const low = text.toLowerCase();
  let at = 0;
  while (at < text.length) {
    let next = -1, size = 0;
    for (const word of words) {
      const found = low.indexOf(word, at);
      if (found >= 0 && (next < 0 || found < next)) { next = found; size = word.length; }
    }
    if (next < 0) break;
    into.append(text.slice(at, next));
    const mark = document.createElement("mark");
    mark.textContent = text.slice(next, next + size);
    into.append(mark);
    at = next + size;
  }
  into.append(text.slice(at));
  return into;
}

function part(style, content) {
  const span = document.createElement("span");
  span.className = style;
  span.append(content);
  return span;
}

function draw(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  list.replaceChildren();
  hits.forEach((hit, i) => {
    const row = document.createElement("a");
    row.className = "hit";
    row.id = "hit-" + i;
    row.href = hit.path;
    row.setAttribute("role", "option");
    row.tabIndex = -1;
    row.append(part("title", marked(hit.title, words)), part("small dim", hit.kind));
    if (hit.description) row.append(part("about small dim", marked(hit.description, words)));
    list.append(row);
  });
  if (!hits.length) list.append(part("nothing", `Nothing is called, described, owned or tagged like “${query}”.`));
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  choose(hits.length ? 0 : -1);
}

function choose(index) {
  chosen = index;
  [...list.querySelectorAll(".hit")].forEach((row, i) => {
    row.setAttribute("aria-selected", String(i === index));
    if (i === index) row.scrollIntoView({ block: "nearest" });
  });
  if (index >= 0) field.setAttribute("aria-activedescendant", "hit-" + index);
  else field.removeAttribute("aria-activedescendant");
}

function close() {
  list.hidden = true;
  chosen = -1;
  field.setAttribute("aria-expanded", "false");
}

async function ask() {
  const query = field.value.trim();
  const mine = ++asked;
  if (!query) return close();
  try {
    const answer = await fetch("/api/v1/search?limit=12&q=" + encodeURIComponent(query));
    const found = await answer.json();
    if (mine !== asked) return; // a later letter has been typed
    hits = found.hits;
    draw(query);
  } catch {
    close(); // the server is away: Enter still asks for the page of results, which says so
  }
}

field.addEventListener("input", ask);
field.addEventListener("focus", () => field.value.trim() && ask());
field.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && hits.length && !list.hidden) choose((chosen + 1) % hits.length);
  else if (event.key === "ArrowUp" && hits.length && !list.hidden) choose((chosen - 1 + hits.length) % hits.length);
  else if (event.key === "Enter" && !list.hidden && chosen >= 0) location.assign(hits[chosen].path);
  else if (event.key === "Escape") { if (list.hidden) field.blur(); else close(); }
  else return;
  event.preventDefault();
});
document.addEventListener("pointerdown", (event) => { if (!event.target.closest?.(".find")) close(); });
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});

// --- times --------------------------------------------------------------------------------------------------------

function brief(seconds) { // as `brief` of the freshness module says it
  const s = Math.abs(seconds);
  if (s < 60) return s.toFixed(0) + " s";
  if (s < 5400) return (s / 60).toFixed(0) + " min";
  if (s < 129600) return (s / 3600).toFixed(0) + " h";
  const days = s / 86400;
  if (days < 60) return days.toFixed(0) + " days";
  return days < 700 ? (days / 30.44).toFixed(0) + " months" : (days / 365.25).toFixed(0) + " years";
}

setInterval(() => {
  for (const time of document.querySelectorAll("time:not([data-fixed])")) {
    const gap = (Date.now() - Date.parse(time.dateTime)) / 1000;
    time.textContent = Math.abs(gap) < 2 ? "now" : gap > 0 ? brief(gap) + " ago" : "in " + brief(gap);
  }
}, 20000);

// --- copying ------------------------------------------------------------------------------------------------------

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "copied";
    } catch {
      button.textContent = "not allowed";
    }
    setTimeout(() => { button.textContent = was; }, 1500);
  });
}

// --- following the store ------------------------------------------------------------------------------------------

const seen = document.documentElement.dataset.state;

async function follow() {
  if (document.hidden || document.activeElement === field || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch("/api/v1/stats", { method: "HEAD", cache: "no-store" });
    const tag = answer.headers.get("etag");
    if (answer.ok && tag && seen && tag !== seen) location.reload(); // the browser keeps the place on the page
  } catch { /* the server is away: the page stays as it is */ }
}
setInterval(follow, 10000);
