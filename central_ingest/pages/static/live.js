// What changes by itself on the pages: times, fresh rows and parts, the stream. No framework, no inline
// code, no eval. The server renders everything; this file only puts fresh parts where they belong:
// every part has an id, `data-live`, and in `data-rev` a digest of what it shows.
"use strict";

const TICK_MS = 15_000;
const GATHER_MS = 250;
const PICTURE_POLL_MS = 10_000;
const LEAVE_MS = 2500;
const SAID_MS = 7000;
const LOST_AFTER_MS = 4000;
const IDS_PER_REQUEST = 50;

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- time -------------------------------------------------------------------------------------
const clockAheadMs = Date.now() - Date.parse(document.body.dataset.now);

function relative(ageS) {
  const ahead = ageS <= -60;
  const [zhEnd, enEnd] = ahead ? ["后", "from now"] : ["前", "ago"];
  const s = Math.abs(ageS);
  if (s < 60) return ["刚刚", "just now"];
  const [n, zh, en] = s < 3600 ? [s / 60, "分钟", "min"] : s < 86400 ? [s / 3600, "小时", "h"] : [s / 86400, "天", "d"];
  const count = Math.floor(n);
  return [`${count} ${zh}${zhEnd}`, `${count} ${en} ${enEnd}`];
}

function tick(root = document) {
  const now = Date.now() - clockAheadMs;
  for (const time of all("time[data-ago]", root)) {
    const [zh, en] = relative(Math.floor((now - Date.parse(time.dateTime)) / 1000));
    one(".zh", time).textContent = zh;
    one(".en", time).textContent = en;
  }
}

// ---- merging fresh parts ------------------------------------------------------------------------
function keepLoadedPictures(old, fresh) {
  for (const img of all("img", fresh)) {
    const same = all("img", old).find((known) => known.getAttribute("src") === img.getAttribute("src") && known.className === img.className);
    if (same) img.replaceWith(same);
  }
}

function focusKey(part) {
  const held = document.activeElement;
  if (!held || !part.contains(held)) return null;
  return held === part ? "" : held.dataset.key || held.id || "";
}

function restoreFocus(part, key) {
  if (key === null) return;
  const target = key && (one(`[data-key="${CSS.escape(key)}"]`, part) || one(`#${CSS.escape(key)}`, part));
  if (!target && !part.hasAttribute("tabindex")) part.tabIndex = -1;
  (target || part).focus({ preventScroll: true });
}

function replacePart(old, fresh) {
  const key = focusKey(old);
  const entered = all("textarea, input:checked", old).filter((field) => field.id && field.value);
  keepLoadedPictures(old, fresh);
  old.replaceWith(fresh);
  for (const field of entered) {
    const now = document.getElementById(field.id);
    if (!now) continue;
    if (field.type === "radio") now.checked = true;
    else if (field.tagName === "TEXTAREA") now.value = field.value;
  }
  settle(fresh);
  restoreFocus(fresh, key);
}

function settle(part) {
  window.htmx.process(part);
  tick(part);
  document.dispatchEvent(new CustomEvent("gridwatch:part", { detail: part }));
}

function insertRow(row) {
  const list = one("#cases");
  if (!list) return;
  const rows = all("li.case", list);
  // As the list is sorted: urgent first, then newest first.
  const rank = ({ dataset }) => [dataset.severity === "urgent" ? 1 : 0, Number(dataset.case)];
  const [urgent, id] = rank(row);
  const next = rows.find((other) => {
    const [itsUrgent, itsId] = rank(other);
    return itsUrgent < urgent || (itsUrgent === urgent && itsId < id);
  });
  // Older than everything shown while more is to come: it belongs to a later page.
  if (!next && one("#more", list)) return;
  row.classList.add("entering");
  row.addEventListener("animationend", () => row.classList.remove("entering"), { once: true });
  const before = document.documentElement.scrollHeight;
  list.insertBefore(row, next || one("#more", list));
  settle(row);
  if (window.scrollY > 0 && row.getBoundingClientRect().top < 0) {
    // Browsers without scroll anchoring would push what is being read downwards.
    if (!CSS.supports("overflow-anchor", "auto")) window.scrollBy(0, document.documentElement.scrollHeight - before);
    newAbove.add(row.id);
  }
  showNewAbove();
}

function removeRow(row) {
  const held = row.contains(document.activeElement);
  const next = row.nextElementSibling?.matches("li.case") ? row.nextElementSibling : row.previousElementSibling;
  row.remove();
  if (held && next?.matches("li.case")) next.focus({ preventScroll: true });
  showEmpty();
}

function leave(row) {
  row.classList.add("leaving");
  window.setTimeout(() => {
    if (!row.isConnected || row.dataset.shown === "true") return;
    const height = row.offsetHeight;
    row.style.height = `${height}px`;
    row.classList.add("closing");
    window.setTimeout(() => removeRow(row), 220);
  }, LEAVE_MS);
}

function mergeRow(fresh) {
  const old = document.getElementById(fresh.id);
  const shown = fresh.dataset.shown === "true";
  if (!old) {
    if (shown) insertRow(fresh);
    return;
  }
  if (old.dataset.rev !== fresh.dataset.rev || old.dataset.shown !== fresh.dataset.shown) {
    replacePart(old, fresh);
    fresh.classList.add("changed");
    if (!shown) leave(fresh);
  }
}

function merge(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of all("[data-live]", fresh)) {
    const node = document.importNode(part, true);
    if (node.matches("li.case")) {
      mergeRow(node);
      continue;
    }
    const old = document.getElementById(node.id);
    if (old && old.dataset.rev !== node.dataset.rev) replacePart(old, node);
  }
  hideSaidLater();
  showEmpty();
  showTitle();
}

// Good news goes away by itself; an error stays until somebody has read it.
function hideSaidLater() {
  const said = one('#flash[data-kind="status"] p');
  if (said) window.setTimeout(() => said.isConnected && one("#flash").replaceChildren(), SAID_MS);
}

function showEmpty() {
  const empty = one("#empty");
  if (empty) empty.hidden = one("#cases li.case") !== null;
}

let plainTitle = document.title;
function showTitle() {
  const pending = Number(one("#counts")?.dataset.pending || 0);
  document.title = pending ? `(${pending}) ${plainTitle}` : plainTitle;
}

const newAbove = new Set();
function showNewAbove() {
  const button = one("#new-above");
  if (!button) return;
  for (const id of newAbove) {
    const row = document.getElementById(id);
    if (!row || row.getBoundingClientRect().bottom > 0) newAbove.delete(id);
  }
  one("b", button).textContent = String(newAbove.size);
  button.hidden = newAbove.size === 0;
}

// ---- live changes -------------------------------------------------------------------------------
const changed = new Set();
let gathering = null;
let wasLost = false;

function rowsUrl(extra) {
  const query = one("#list")?.dataset.query || "";
  return `/cases/rows?${[query, extra].filter(Boolean).join("&")}`;
}

async function fetchAndMerge(url) {
  const answer = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
  if (answer.status === 401) window.location.reload();
  else if (answer.ok) merge(await answer.text());
}

function busy() {
  // A row must not move away under a pointer that is about to press, or behind an open dialog.
  return one("dialog[open], #cases button:hover, #cases .button:hover") !== null;
}

async function showChanged() {
  gathering = null;
  if (busy()) return gather();
  const ids = [...changed];
  changed.clear();
  const page = one("[data-case-page]")?.dataset.casePage;
  try {
    if (page) {
      if (ids.includes(page)) await fetchAndMerge(`/cases/${page}/live`);
    } else if (one("#list")) {
      for (let at = 0; at < ids.length; at += IDS_PER_REQUEST) {
        await fetchAndMerge(rowsUrl(`ids=${ids.slice(at, at + IDS_PER_REQUEST).join(",")}`));
      }
    }
  } catch {
    // The centre went away in between: asked again with everything else once the stream is back.
    for (const id of ids) changed.add(id);
    wasLost = true;
  }
}

function gather() {
  gathering ??= window.setTimeout(showChanged, GATHER_MS);
}

async function catchUp() {
  const page = one("[data-case-page]")?.dataset.casePage;
  if (page) changed.add(page);
  else {
    for (const row of all("#cases li.case")) changed.add(row.dataset.case);
    await fetchAndMerge(rowsUrl("")).catch(() => {});
  }
  if (changed.size) gather();
}

function connection(state) {
  const live = one("#live");
  if (live) live.dataset.state = state;
}

// The stream ends from time to time on purpose and comes back at once: only a longer gap is a loss.
let losing = null;
function connectionLost() {
  wasLost = true;
  if (losing) return;
  connection("connecting");
  losing = window.setTimeout(() => {
    connection("lost");
    leadToLogin();
  }, LOST_AFTER_MS);
}

// A login that ended looks like a lost stream: the page then comes back by way of the login.
async function leadToLogin() {
  const answer = await fetch("/notice", { headers: { "HX-Request": "true" } }).catch(() => null);
  if (answer?.status === 401) window.location.reload();
}

function connectionOpen() {
  window.clearTimeout(losing);
  losing = null;
  connection("open");
  if (wasLost) catchUp();
  wasLost = false;
}

document.addEventListener("sse:case", (event) => {
  const { case_id: id } = JSON.parse(event.detail.data);
  changed.add(String(id));
  gather();
});
document.addEventListener("htmx:sseOpen", connectionOpen);
document.addEventListener("htmx:sseError", connectionLost);

function askForPictures() {
  if (document.hidden) return;
  const inView = (node) => {
    const box = node.getBoundingClientRect();
    return box.bottom > 0 && box.top < window.innerHeight;
  };
  for (const row of all("#cases li.case")) {
    if (one('[data-picture="pending"]', row) && inView(row)) changed.add(row.dataset.case);
  }
  const page = one("[data-case-page]");
  if (page && one('[data-picture="pending"]')) changed.add(page.dataset.casePage);
  if (changed.size) gather();
}

// ---- answers to what people send ----------------------------------------------------------------
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.target.closest?.("[data-merge]")) return;
  if (event.detail.xhr.status === 401) return window.location.reload();
  event.detail.shouldSwap = false;
  event.detail.isError = false;
  one("dialog[open]")?.close();
  merge(event.detail.xhr.responseText);
});
document.addEventListener("htmx:sendError", () => say("无法连接中心，请稍后再试", "The centre cannot be reached; try again"));
document.addEventListener("htmx:responseError", (event) => {
  const { xhr, elt } = event.detail;
  if (!elt.closest("[data-merge]")) say(`请求失败（${xhr.status}）`, `The request failed (${xhr.status})`);
});
document.addEventListener("htmx:afterSettle", (event) => {
  tick();
  showEmpty();
  showTitle();
  if (event.detail.target?.id === "list") newAbove.clear();
});

function say(zh, en) {
  const flash = one("#flash");
  flash.dataset.kind = "error";
  const words = document.createElement("p");
  for (const [name, text] of [["zh", zh], ["en", en]]) {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = `${text} `;
    words.append(span);
  }
  flash.replaceChildren(words);
}

window.addEventListener("scroll", showNewAbove, { passive: true });
window.setInterval(tick, TICK_MS);
window.setInterval(askForPictures, PICTURE_POLL_MS);
tick();
showTitle();
