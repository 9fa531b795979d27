// The catalog's script: search as you type, times that stay true, copying, and a page that follows the store.
// Every page works without it.
"use strict";

// --- search -------------------------------------------------------------------------------------------------------

const field = document.querySelector("#q");
const list = document.querySelector("#hits");
const told = document.querySelector("#told");
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
    if (hit.deprecated) row.classList.add("deprecated");
    if (hit.description) row.append(part("about small dim", marked(hit.description, words)));
    list.append(row);
  });
  if (!hits.length) {
    list.append(part("nothing", `Nothing is called, described, owned or tagged like “${query}”.`));
    const wish = document.createElement("a");
    wish.className = "hit wish";
    wish.id = "hit-0";
    wish.href = "/wishes?name=" + encodeURIComponent(query) + "#new";
    wish.setAttribute("role", "option");
    wish.tabIndex = -1;
    wish.append(part("title", "Wish for it"), part("small dim", "wish"));
    list.append(wish);
  }
  told.textContent = hits.length ? `${hits.length} found` : "Nothing found";
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  choose(0);
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
  told.textContent = "";
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
  const rows = list.querySelectorAll(".hit");
  if (event.key === "ArrowDown" && !list.hidden) choose((chosen + 1) % rows.length);
  else if (event.key === "ArrowUp" && !list.hidden) choose((chosen - 1 + rows.length) % rows.length);
  else if (event.key === "Enter" && !list.hidden && chosen >= 0) location.assign(rows[chosen].href);
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

// --- tabs ---------------------------------------------------------------------------------------------------------

// One of several panels at a time; the kind that a person chose last is open on every page.
for (const tabs of document.querySelectorAll("[data-tabs]")) {
  const buttons = [...tabs.querySelectorAll("[role=tab]")];
  const show = (wanted, focus) => {
    for (const button of buttons) {
      const on = button === wanted;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      tabs.querySelector("#" + button.getAttribute("aria-controls")).hidden = !on;
    }
    if (focus) {
      wanted.focus();
      remember("tab", wanted.id);
    }
  };
  tabs.querySelector("[role=tablist]").hidden = false;
  show(buttons.find((button) => button.id === remembered("tab")) ?? buttons[0], false);
  for (const button of buttons) button.addEventListener("click", () => show(button, true));
  tabs.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(buttons[(to + buttons.length) % buttons.length], true);
  });
}

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a profile that keeps nothing */ }
}

function remembered(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

// --- forms --------------------------------------------------------------------------------------------------------

// Who wrote the last time is who writes now, and a form that somebody has begun keeps the page from reloading itself.
let begun = false;
for (const form of document.querySelectorAll("form.write, form.ask")) {
  form.addEventListener("input", () => { begun = true; });
  form.addEventListener("submit", () => { if (form.by?.value) remember("by", form.by.value); });
  if (form.by && form.hasAttribute("data-keep") && remembered("by")) form.by.value = remembered("by");
}

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
  if (document.hidden || begun || document.activeElement === field || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch("/api/v1/stats", { method: "HEAD", cache: "no-store" });
    const tag = answer.headers.get("etag");
    if (answer.ok && tag && seen && tag !== seen) location.reload(); // the browser keeps the place on the page
  } catch { /* the server is away: the page stays as it is */ }
}
setInterval(follow, 10000);

// Numbers that are still being counted: look again soon, and less often the longer it takes.
if (document.querySelector("[data-pending]")) {
  const tries = Number(sessionStorage.getItem("tries") ?? 0) + 1;
  sessionStorage.setItem("tries", tries);
  setTimeout(() => { if (!begun) location.reload(); }, Math.min(1000 * tries, 10000));
} else sessionStorage.removeItem("tries");
