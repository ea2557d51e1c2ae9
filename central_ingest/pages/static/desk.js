// What people do on the pages: rejecting, looking closer, keys. Uses what live.js defines.
"use strict";

// ---- rejecting ----------------------------------------------------------------------------------
function openReject(row) {
  const dialog = one("#reject");
  const form = one("form", dialog);
  const url = `/cases/${row.dataset.case}/decisions?${one("#list").dataset.query}`;
  form.reset();
  one(".problem", form).textContent = "";
  form.action = url;
  form.setAttribute("hx-post", url);
  window.htmx.process(form);
  one("[data-number]", dialog).textContent = one(".number", row).textContent.trim();
  dialog.dataset.case = row.dataset.case;
  dialog.showModal();
  one("input[type=radio]", form).focus();
}

function reasonGiven(form) {
  return one("input[name=quick]:checked", form) !== null || one("textarea", form).value.trim() !== "";
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-reject]");
  if (!form || reasonGiven(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  one(".problem", form).textContent = "请选择或填写驳回理由 Choose or write a reason";
  one("input[type=radio]", form).focus();
}, true);

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-reject]");
  if (form) one(".problem", form).textContent = "";
});

// ---- pictures -----------------------------------------------------------------------------------
function zoom(picture, on) {
  const [x1, y1, x2, y2] = picture.dataset.box.split(" ").map(Number);
  const frame = one(".frame", picture);
  const scale = Math.min(6, Math.max(1, 0.6 / Math.max(x2 - x1, y2 - y1)));
  const shift = (low, high) => {
    const wanted = 0.5 - ((low + high) / 2) * scale;
    return Math.min(0, Math.max(1 - scale, wanted)) * 100;
  };
  for (const layer of all("img, svg", frame)) {
    layer.style.transform = on ? `translate(${shift(x1, x2)}%, ${shift(y1, y2)}%) scale(${scale})` : "";
  }
  one('[data-do="zoom"]', picture)?.setAttribute("aria-pressed", String(on));
}

function toggleBox(picture, on) {
  const marked = one("img.marked", picture);
  const plain = one("img.plain", picture);
  if (marked && plain) {
    marked.hidden = !on;
    plain.hidden = on;
  }
  one("svg.box", picture)?.classList.toggle("off", !on);
  one('[data-do="box"]', picture)?.setAttribute("aria-pressed", String(on));
}

function pressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}

// The list's thumbnails, looked at closely: by hovering, or with the key v for the chosen row.
let looking = false;
function preview(row) {
  const box = one("#preview");
  if (!box) return;
  const thumb = row && one(".thumb img", row);
  box.hidden = !thumb;
  if (thumb) one("img", box).src = thumb.src;
}

function togglePreview() {
  const row = document.activeElement?.closest?.("li.case");
  looking = !looking && row !== null;
  preview(looking ? row : null);
}

document.addEventListener("focusin", (event) => {
  if (looking) preview(event.target.closest("li.case"));
});
document.addEventListener("mouseover", (event) => {
  const row = event.target.closest?.(".thumb")?.closest("li.case");
  if (row) preview(row);
  else if (!looking) preview(null);
});

// A picture that cannot be loaded says so instead of showing a broken icon.
document.addEventListener("error", (event) => {
  const img = event.target;
  if (!(img instanceof HTMLImageElement)) return;
  const words = document.createElement("span");
  words.className = "no-picture";
  words.dataset.picture = "unreadable";
  words.textContent = "图片无法显示 Picture cannot be shown";
  img.replaceWith(words);
}, true);

// ---- clicks -------------------------------------------------------------------------------------
const CLICKS = {
  "close-flash": () => one("#flash").replaceChildren(),
  "close-dialog": (button) => button.closest("dialog").close(),
  reject: (button) => openReject(button.closest("li.case")),
  zoom: (button) => zoom(button.closest("[data-zoom]"), !pressed(button)),
  box: (button) => toggleBox(button.closest("[data-zoom]"), !pressed(button)),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) {
    event.preventDefault();
    CLICKS[button.dataset.do](button);
    return;
  }
  if (event.target.closest("#new-above")) {
    window.scrollTo({ top: 0 });
    newAbove.clear();
    showNewAbove();
    one("#cases li.case")?.focus({ preventScroll: true });
  }
});

// ---- keys ---------------------------------------------------------------------------------------
function move(step) {
  const rows = all("#cases li.case:not(.closing)");
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
  if (!row) return;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (at === rows.length - 1 && step > 0) one("#more button")?.click();
}

function decideRow(key) {
  const row = document.activeElement?.closest?.("li.case");
  const control = row && one(`[data-key="${key}"]`, row);
  if (!row) say("先用 j / k 选中一条案卷", "Choose a case with j / k first");
  // A key pressed once too often meets the row that it decided: what was said of it stands.
  else if (control) control.click();
  else if (!one('#flash[data-kind="status"] p')) say("此案卷已处理", "This case has been decided already");
}

function rejectHere() {
  const form = one("#decide [data-reject]");
  if (!form) return;
  form.scrollIntoView({ block: "nearest" });
  if (reasonGiven(form)) sendReason(form);
  else one("input[type=radio]", form).focus();
}

const LIST_KEYS = {
  j: () => move(1),
  k: () => move(-1),
  c: () => decideRow("confirm"),
  r: () => decideRow("reject"),
  v: togglePreview,
};
const CASE_KEYS = {
  c: () => one('#decide [data-key="confirm"]')?.click(),
  r: rejectHere,
  n: () => one('#decide [data-key="next"]')?.click(),
  z: () => all("[data-zoom]").forEach((picture) => one('[data-do="zoom"]', picture)?.click()),
  b: () => all("[data-zoom]").forEach((picture) => one('[data-do="box"]', picture)?.click()),
  Escape: () => one(".back a")?.click(),
};

function formInHand() {
  return one("dialog[open] [data-reject]") || document.activeElement?.closest?.("[data-reject]");
}

function sendReason(form) {
  if (!one("[type=submit]", form).disabled) form.requestSubmit();
}

function chooseReason(event) {
  const form = formInHand();
  const choice = form && all("input[name=quick]", form)[Number(event.key) - 1];
  if (!choice || document.activeElement.matches("textarea")) return false;
  choice.checked = true;
  choice.focus();
  choice.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

// The key that led to the reasons also sends them; without a reason the form says what is missing.
function submitReason(event) {
  const form = formInHand();
  if (!form) return false;
  const writing = document.activeElement.matches("textarea");
  const again = event.key === "r" && !writing && !event.repeat;
  const enter = event.key === "Enter" && !document.activeElement.matches("button, a") && !(writing && event.shiftKey);
  if (again || enter) sendReason(form);
  return again || enter;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (submitReason(event) || chooseReason(event)) return event.preventDefault();
  const held = document.activeElement;
  if (one("dialog[open]") || held?.matches("textarea, input:not([type=radio]), select")) return;
  if (event.key === "Enter" && held?.matches("li.case")) return one("a.open", held).click();
  const keys = one("[data-case-page]") ? CASE_KEYS : one("#list") ? LIST_KEYS : {};
  const act = keys[event.key];
  if (!act || event.repeat && event.key !== "j" && event.key !== "k") return;
  event.preventDefault();
  act();
});

// ---- API pages ----------------------------------------------------------------------------------
const api = one("#api");
if (api) window.SwaggerUIBundle({ url: api.dataset.spec, domNode: api, deepLinking: true, validatorUrl: null });

document.documentElement.classList.add("scripted");
