// Points and zones are clicked here; what follows from them (the fit, the cells over the picture,
// the saved file) is computed by the agent. Nothing is loaded from elsewhere.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#1fb6ff", "#ff8a00", "#2bbf6a", "#d05cff", "#ff5c8a", "#c9b400"];
const NEAR_M = 0.5;
const FAR_M = 2;
const $ = (id) => document.getElementById(id);

const page = {
  tab: "points",
  points: [],      // {xyn: [x, y] | null, lonlat: [lon, lat] | null, text}
  selected: -1,
  zones: [],       // {id, polygon_xyn, categories, hours}
  zone: -1,
  drawing: null,   // corners of the zone that is being drawn
  categories: {},
  map: null,
  fit: null,
  dirty: false,
};

function make(name, attributes = {}, parent = null, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function say(node, zh, en) {
  node.replaceChildren(`${zh} `, element("span", { className: "en", textContent: en }));
}

async function ask(name, body) {
  const response = await fetch(name, body === undefined ? {} : {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.problem || response.statusText);
  return answer;
}

let toastTimer = 0;
function toast(text, bad = false) {
  const node = $("toast");
  node.textContent = text;
  node.className = bad ? "bad" : "";
  node.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { node.hidden = true; }, bad ? 15000 : 8000);
}

// -- points

const complete = () => page.points.filter((point) => point.xyn && point.lonlat);

function changed() {
  page.dirty = true;
  draw();
}

function readLonLat(text) {
  const numbers = text.split(/[,，;\s]+/).filter(Boolean).map(Number);
  if (numbers.length !== 2 || numbers.some(Number.isNaN)) return null;
  const [lon, lat] = numbers;
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? [lon, lat] : null;
}

const written = (lonlat) => lonlat.map((value) => value.toFixed(7)).join(", ");

function putPoint(kind, value) {
  let point = page.points[page.selected];
  if (!point || point[kind]) {
    point = page.points.find((other) => !other[kind]);
    if (!point) {
      point = { xyn: null, lonlat: null, text: "" };
      page.points.push(point);
    }
    page.selected = page.points.indexOf(point);
  }
  movePoint(page.selected, kind, value);
}

function movePoint(index, kind, value) {
  const point = page.points[index];
  point[kind] = value;
  if (kind === "lonlat") point.text = written(value);
  page.selected = index;
  changed();
  refit();
}

let fitTimer = 0;
let fitNumber = 0;
function refit() {
  clearTimeout(fitTimer);
  fitTimer = setTimeout(async () => {
    const points = complete();
    fitNumber += 1;
    const number = fitNumber;
    try {
      const fit = points.length < 4 ? null
        : await ask("fit", { points: points.map(({ xyn, lonlat }) => ({ xyn, lonlat })) });
      if (number === fitNumber) page.fit = fit; // an answer that was overtaken says nothing
    } catch (error) {
      toast(`代理没有回答 The agent does not answer:\n${error.message}`, true);
    }
    draw();
  }, 120);
}

// Indices of the points that contradict the others.
const wrongPoints = () => (page.fit && page.fit.wrong
  ? page.fit.wrong.map((index) => page.points.indexOf(complete()[index])) : []);

function missOf(point) {
  const index = complete().indexOf(point);
  if (!page.fit || page.fit.problem || index < 0) return null;
  return page.fit.residuals_m[index] ?? null; // a fit may be a point behind
}

function verdict() {
  const node = $("verdict");
  const missing = 4 - complete().length;
  node.className = "";
  if (missing > 0) {
    say(node, `还需 ${missing} 个完整的点（图上和地图上各点一次）`,
      `${missing} more points needed, each in the picture and on the map`);
  } else if (!page.fit) {
    say(node, "计算中…", "computing…");
  } else if (page.fit.problem) {
    node.className = "bad";
    say(node, "这些点不能用：", page.fit.problem);
  } else if (wrongPoints().length) {
    node.className = "bad";
    const numbers = wrongPoints().map((index) => index + 1);
    say(node, `第 ${numbers.join(" 或 ")} 点很可能点错了，请拖动或重点`,
      `point ${numbers.join(" or ")} contradicts the others: drag it or click it again`);
  } else {
    const worst = Math.max(...page.fit.residuals_m).toFixed(2);
    if (page.fit.spare === 0) {
      node.className = "warn";
      say(node, "四点总能对上，无法检验；再加两点以上", "four points always fit: add two or more to check them");
    } else if (page.fit.click_share > 0.006) {
      node.className = "warn";
      say(node, `各点不太一致，最大 ${worst} 米`, `the points do not agree well: up to ${worst} m`);
    } else {
      node.className = "good";
      say(node, `标定良好，最大误差 ${worst} 米`, `a good fit: off by ${worst} m at most`);
    }
  }
}

function hint() {
  const node = $("hint");
  if (page.tab === "zones") {
    if (page.drawing) {
      say(node, "依次点击区域的角；点第一个角、双击或按回车完成，Esc 取消",
        "click the corners; finish on the first one, with a double click or Enter; Esc cancels");
    } else {
      say(node, "拖动角可修改区域；“画新区域”增加一个", "drag corners to change a zone; “Draw a zone” adds one");
    }
    return;
  }
  const point = page.points[page.selected];
  const number = page.selected + 1;
  if (point && point.xyn && !point.lonlat) {
    say(node, `第 ${number} 点：在地图上点同一位置，或在右侧输入经度, 纬度`,
      `point ${number}: click the same spot on the map, or type its longitude, latitude`);
  } else if (point && point.lonlat && !point.xyn) {
    say(node, `第 ${number} 点：在画面上点同一位置`, `point ${number}: click the same spot in the picture`);
  } else {
    say(node, "在画面上点一个地面特征（标线角、井盖中心、路缘转角），再在地图上点同一位置",
      "click a feature of the ground (corner of a marking, middle of a cover, kerb), then the same spot on the map");
  }
}

function rows() {
  const body = $("points");
  const active = document.activeElement;
  const typing = active && active.dataset ? active.dataset.point : undefined;
  page.points.forEach((point, index) => {
    let row = body.children[index];
    if (!row) {
      row = pointRow();
      body.append(row);
    }
    row.className = index === page.selected ? "selected" : "";
    const badge = row.querySelector(".number span");
    badge.textContent = index + 1;
    badge.className = wrongPoints().includes(index) ? "wrong" : point.xyn && point.lonlat ? "" : "half";
    const input = row.querySelector("input");
    input.dataset.point = index;
    if (typing !== String(index)) input.value = point.text;
    input.className = point.text && !point.lonlat ? "wrong" : "";
    const miss = missOf(point);
    const cell = row.querySelector(".miss");
    cell.textContent = !point.xyn ? "画面？" : miss === null ? "" : `${miss.toFixed(2)} m`;
    cell.className = "miss" + (miss === null ? "" : miss < NEAR_M ? " good" : miss < FAR_M ? " warn" : " bad");
  });
  while (body.children.length > page.points.length) body.lastChild.remove();
}

function pointRow() {
  const row = element("tr");
  const index = () => [...$("points").children].indexOf(row);
  const badge = element("span");
  badge.addEventListener("click", () => { page.selected = index(); draw(); });
  const input = element("input", { placeholder: "117.3600000, 32.9300000", spellcheck: false });
  input.setAttribute("aria-label", "经度, 纬度 Longitude, latitude");
  input.addEventListener("focus", () => { page.selected = index(); draw(); });
  input.addEventListener("input", () => {
    const point = page.points[index()];
    point.text = input.value;
    point.lonlat = readLonLat(input.value);
    if (point.lonlat && !page.map) centreMap(point.lonlat);
    changed();
    refit();
  });
  const drop = element("button", { type: "button", textContent: "✕", title: "删除此点 remove this point" });
  drop.addEventListener("click", () => {
    page.points.splice(index(), 1);
    page.selected = -1;
    changed();
    refit();
  });
  const cell = (name, ...children) => element("td", { className: name }, ...children);
  row.append(cell("number", badge), cell("", input), cell("miss"), cell("drop", drop));
  return row;
}

// -- the picture

const size = () => ({ width: $("picture").clientWidth, height: $("picture").clientHeight });

function spotOf(event) {
  const box = $("frame").getBoundingClientRect();
  const clamp = (value) => Math.min(1, Math.max(0, value));
  return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
}

function polyline(line, width, height) {
  return line.map(([x, y]) => `${(x * width).toFixed(1)},${(y * height).toFixed(1)}`).join(" ");
}

function marker(parent, x, y, index, half) {
  const names = ["marker", half ? "half" : "", index === page.selected ? "selected" : "",
    wrongPoints().includes(index) ? "wrong" : ""];
  const group = make("g", { class: names.join(" "), "data-point": index, transform: `translate(${x} ${y})` }, parent);
  make("circle", { r: 11 }, group);
  make("text", { y: 4 }, group, index + 1);
  return group;
}

function drawOverlay() {
  const overlay = $("overlay");
  const { width, height } = size();
  overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  overlay.replaceChildren();
  const fit = page.fit && !page.fit.problem ? page.fit : null;
  if (fit && $("show-lattice").checked) {
    for (const line of fit.lattice) make("polyline", { class: "lattice", points: polyline(line, width, height) }, overlay);
  }
  if (fit && $("show-cells").checked) drawCells(overlay, fit.cells, width, height);
  if (page.tab === "zones") drawZones(overlay, width, height);
  else {
    page.points.forEach((point, index) => {
      if (point.xyn) marker(overlay, point.xyn[0] * width, point.xyn[1] * height, index, !point.lonlat);
    });
  }
}

function drawCells(overlay, cells, width, height) {
  for (const cell of cells) {
    for (const line of cell.lines) {
      make("polyline", { class: "cell-back", points: polyline(line, width, height) }, overlay);
      make("polyline", { class: "cell", points: polyline(line, width, height) }, overlay);
    }
  }
  for (const cell of cells) {
    const longest = cell.lines.reduce((a, b) => (b.length > a.length ? b : a));
    const [x, y] = longest[Math.floor(longest.length / 2)];
    make("text", { class: "label", x: Math.min(x * width + 6, width - 130), y: y * height - 6 }, overlay, cell.code);
  }
}

function drawZones(overlay, width, height) {
  page.zones.forEach((zone, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const chosen = index === page.zone;
    make("polygon", {
      class: chosen ? "shape selected" : "shape", "data-zone": index, fill: colour, stroke: colour,
      points: polyline(zone.polygon_xyn, width, height),
    }, overlay);
    const [x, y] = zone.polygon_xyn[0];
    make("text", { class: "label", x: x * width + 8, y: y * height - 8 }, overlay, zone.id);
    if (!chosen || page.drawing) return;
    zone.polygon_xyn.forEach(([cx, cy], corner) => make("circle", {
      class: "corner", r: 7, stroke: colour, cx: cx * width, cy: cy * height, "data-corner": corner,
    }, overlay));
  });
  if (!page.drawing) return;
  make("polyline", { class: "drawing", points: polyline(page.drawing, width, height) }, overlay);
  page.drawing.forEach(([x, y], corner) => make("circle", {
    class: "corner", r: corner ? 4 : 8, stroke: "#ff5c8a", cx: x * width, cy: y * height, "data-first": corner === 0,
  }, overlay));
}

let drag = null;
function onPictureDown(event) {
  if (event.button !== 0) return;
  const target = event.target.closest("[data-point], [data-corner], [data-zone], [data-first]");
  const data = target ? target.dataset : {};
  if (page.tab === "points") {
    if (data.point !== undefined) drag = { kind: "point", index: Number(data.point) };
    else putPoint("xyn", spotOf(event));
    if (drag) { page.selected = drag.index; draw(); }
  } else if (page.drawing) {
    if (data.first === "true" && page.drawing.length >= 3) finishZone();
    else { page.drawing.push(spotOf(event)); draw(); }
  } else if (data.corner !== undefined) drag = { kind: "corner", index: Number(data.corner) };
  else if (data.zone !== undefined) { page.zone = Number(data.zone); draw(); }
  if (drag) $("frame").setPointerCapture(event.pointerId);
  event.preventDefault();
}

function onPictureMove(event) {
  const spot = spotOf(event);
  lens(spot);
  if (drag && drag.kind === "point") movePoint(drag.index, "xyn", spot);
  else if (drag && drag.kind === "corner") {
    page.zones[page.zone].polygon_xyn[drag.index] = spot;
    changed();
  } else where(spot);
}

function lens([x, y]) {
  const canvas = $("lens");
  const picture = $("picture");
  canvas.hidden = false;
  canvas.className = x < 0.5 ? "right" : "left";
  const context = canvas.getContext("2d");
  const across = canvas.width / 5;
  const scale = picture.naturalWidth / size().width;
  const side = across * scale;
  context.fillStyle = "#222";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, x * picture.naturalWidth - side / 2, y * picture.naturalHeight - side / 2,
    side, side, 0, 0, canvas.width, canvas.height);
  const middle = canvas.width / 2;
  context.strokeStyle = "#ffd400";
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(middle + dx * 6, middle + dy * 6);
    context.lineTo(middle + dx * 34, middle + dy * 34);
  }
  context.stroke();
}

let whereBusy = false;
async function where(spot) {
  const points = complete();
  if (whereBusy || !page.fit || page.fit.problem || points.length < 4) return;
  whereBusy = true;
  try {
    const found = await ask("where", { points: points.map(({ xyn, lonlat }) => ({ xyn, lonlat })), xyn: spot });
    page.spot = found.problem ? null : found;
    $("spot").textContent = found.problem ? "地平线以上 above the horizon"
      : `${found.lon.toFixed(6)}, ${found.lat.toFixed(6)} ± ${found.error_m.toFixed(1)} m  ${found.cells.join(" / ")}`;
    drawMap();
  } catch {
    $("spot").textContent = "";
  } finally {
    setTimeout(() => { whereBusy = false; }, 80);
  }
}

// -- the map: metres east and south of its centre

const view = { x: 0, y: 0, span: 120 };

function centreMap(centre) {
  const north = 1 / 110900;
  page.map = {
    centre, degrees_a_metre: [north / Math.cos(centre[1] * Math.PI / 180), north], cells: [], components: [], camera: null,
  };
}

function toMetres([lon, lat]) {
  const { centre, degrees_a_metre: step } = page.map;
  return [(lon - centre[0]) / step[0], -(lat - centre[1]) / step[1]];
}

function toDegrees([x, y]) {
  const { centre, degrees_a_metre: step } = page.map;
  return [centre[0] + x * step[0], centre[1] - y * step[1]];
}

function drawMap() {
  const map = $("map");
  map.replaceChildren();
  if (!page.map) {
    map.setAttribute("viewBox", "0 0 400 250");
    make("text", { x: 200, y: 120, "font-size": 15 }, map, "没有网格和位置：请输入第一个点的经纬度");
    make("text", { x: 200, y: 142, "font-size": 13 }, map, "no cells, no location: type the first point's coordinates");
    return;
  }
  const height = view.span * map.clientHeight / Math.max(1, map.clientWidth);
  const pixel = view.span / Math.max(1, map.clientWidth);
  map.setAttribute("viewBox", `${view.x - view.span / 2} ${view.y - height / 2} ${view.span} ${height}`);
  for (const cell of page.map.cells) {
    const rings = cell.rings.map((ring) => ring.map(toMetres));
    for (const ring of rings) make("polygon", { class: "cell", points: ring.map((spot) => spot.join(",")).join(" ") }, map);
    const [x, y] = rings[0].reduce(([sx, sy], [px, py]) => [sx + px / rings[0].length, sy + py / rings[0].length], [0, 0]);
    make("text", { x, y, "font-size": 12 * pixel }, map, cell.code);
  }
  for (const component of page.map.components) {
    const [x, y] = toMetres(component.lonlat);
    const dot = make("circle", { class: "component", cx: x, cy: y, r: 4 * pixel, "data-lon": component.lonlat[0], "data-lat": component.lonlat[1] }, map);
    make("title", {}, dot, component.id);
  }
  if (page.map.camera) {
    const [x, y] = toMetres(page.map.camera);
    const r = 8 * pixel;
    make("path", { class: "camera", d: `M${x} ${y - r}L${x + r} ${y + r}H${x - r}Z` }, map);
  }
  if (page.spot) {
    const [x, y] = toMetres([page.spot.lon, page.spot.lat]);
    make("circle", { class: "spot", cx: x, cy: y, r: Math.max(page.spot.error_m, 3 * pixel) }, map);
  }
  page.points.forEach((point, index) => {
    if (!point.lonlat) return;
    const [x, y] = toMetres(point.lonlat);
    marker(map, x, y, index, !point.xyn).setAttribute("transform", `translate(${x} ${y}) scale(${pixel * 0.85})`);
  });
}

function mapSpot(event) {
  const box = $("map").getBoundingClientRect();
  const height = view.span * box.height / box.width;
  return [
    view.x + ((event.clientX - box.left) / box.width - 0.5) * view.span,
    view.y + ((event.clientY - box.top) / box.height - 0.5) * height,
  ];
}

let pan = null;
function onMapDown(event) {
  if (!page.map || event.button !== 0) return;
  const target = event.target.closest("[data-point]");
  pan = { from: mapSpot(event), moved: false, point: target ? Number(target.dataset.point) : null, at: [event.clientX, event.clientY] };
  $("map").setPointerCapture(event.pointerId);
  event.preventDefault();
}

function onMapMove(event) {
  if (!pan) return;
  pan.moved = pan.moved || Math.hypot(event.clientX - pan.at[0], event.clientY - pan.at[1]) > 4;
  if (!pan.moved) return;
  const spot = mapSpot(event);
  if (pan.point !== null) movePoint(pan.point, "lonlat", toDegrees(spot));
  else {
    view.x += pan.from[0] - spot[0];
    view.y += pan.from[1] - spot[1];
    drawMap();
  }
}

function onMapUp(event) {
  if (pan && !pan.moved) {
    const [component] = document.elementsFromPoint(event.clientX, event.clientY).filter((one) => one.dataset && one.dataset.lon);
    const lonlat = component ? [Number(component.dataset.lon), Number(component.dataset.lat)] : toDegrees(mapSpot(event));
    if (pan.point !== null) { page.selected = pan.point; draw(); } else putPoint("lonlat", lonlat);
  }
  pan = null;
}

function onMapWheel(event) {
  if (!page.map) return;
  event.preventDefault();
  const before = mapSpot(event);
  view.span = Math.min(800, Math.max(8, view.span * (event.deltaY > 0 ? 1.2 : 1 / 1.2)));
  const after = mapSpot(event);
  view.x += before[0] - after[0];
  view.y += before[1] - after[1];
  drawMap();
}

function showEverything() {
  if (!page.map) return;
  const spots = [...page.points.filter((point) => point.lonlat).map((point) => toMetres(point.lonlat)), ...(page.map.camera ? [toMetres(page.map.camera)] : [])];
  if (!spots.length) return;
  const xs = spots.map(([x]) => x);
  const ys = spots.map(([, y]) => y);
  view.x = (Math.min(...xs) + Math.max(...xs)) / 2;
  view.y = (Math.min(...ys) + Math.max(...ys)) / 2;
  view.span = Math.max(40, 1.5 * (Math.max(...xs) - Math.min(...xs)), 2.6 * (Math.max(...ys) - Math.min(...ys)));
}

// -- zones

function startZone() {
  page.drawing = [];
  page.zone = -1;
  draw();
}

function finishZone() {
  let number = page.zones.length + 1;
  while (page.zones.some((zone) => zone.id === `zone-${number}`)) number += 1;
  page.zones.push({ id: `zone-${number}`, polygon_xyn: page.drawing, categories: [], hours: null });
  page.zone = page.zones.length - 1;
  page.drawing = null;
  changed();
  zoneCards();
}

function onKey(event) {
  if (event.target.tagName === "INPUT" || !page.drawing) return;
  if (event.key === "Escape") page.drawing = null;
  else if (event.key === "Backspace") page.drawing.pop();
  else if (event.key === "Enter" && page.drawing.length >= 3) finishZone();
  else return;
  event.preventDefault(); // Enter would press the button that began the drawing
  draw();
}

function onDoubleClick() {
  if (!page.drawing) return;
  const corners = page.drawing;
  const [last, before] = [corners[corners.length - 1], corners[corners.length - 2]];
  if (before && Math.hypot(last[0] - before[0], last[1] - before[1]) < 0.01) corners.pop();
  if (corners.length >= 3) finishZone();
}

function zoneCards() {
  $("zones").replaceChildren(...page.zones.map((zone, index) => {
    const card = element("div", { className: index === page.zone ? "zone selected" : "zone" });
    card.style.borderLeftColor = COLOURS[index % COLOURS.length];
    card.addEventListener("click", (event) => {
      if (["INPUT", "BUTTON", "LABEL"].includes(event.target.tagName)) return;
      page.zone = index;
      draw();
      zoneCards();
    });
    const id = element("input", { type: "text", value: zone.id });
    id.setAttribute("aria-label", "区域名称 Name of the zone");
    id.addEventListener("input", () => { zone.id = id.value.trim(); changed(); });
    const drop = element("button", { type: "button", className: "drop", textContent: "✕", title: "删除区域 remove the zone" });
    drop.addEventListener("click", () => { page.zones.splice(index, 1); page.zone = -1; changed(); zoneCards(); });
    const boxes = element("fieldset");
    for (const [name, words] of Object.entries(page.categories)) {
      const box = element("input", { type: "checkbox", checked: zone.categories.includes(name) });
      box.addEventListener("change", () => {
        zone.categories = Object.keys(page.categories).filter((one) => (one === name ? box.checked : zone.categories.includes(one)));
        changed();
      });
      boxes.append(element("label", { title: words.en }, box, ` ${words.zh}`));
    }
    const hours = element("input", { type: "text", value: zone.hours || "", placeholder: "全天 always；或 or 06:00-22:00" });
    hours.setAttribute("aria-label", "时段 Hours");
    hours.addEventListener("input", () => { zone.hours = hours.value.trim() || null; changed(); });
    const note = element("span", { className: "en", textContent: "不选＝所有类别 none chosen: every category" });
    card.append(element("div", { className: "row" }, id, drop), boxes, note,
      element("div", { className: "row" }, "时段 ", hours));
    return card;
  }));
}

// -- the whole page

function draw() {
  hint();
  verdict();
  rows();
  drawOverlay();
  drawMap();
}

function openTab(name) {
  page.tab = name;
  page.drawing = null;
  for (const one of ["points", "zones"]) {
    $(`tab-${one}`).setAttribute("aria-selected", String(one === name));
    $(`panel-${one}`).hidden = one !== name;
  }
  if (name === "zones") zoneCards();
  draw();
}

async function save() {
  const half = page.points.findIndex((point) => !point.xyn || !point.lonlat);
  if (half >= 0) {
    openTab("points");
    page.selected = half;
    draw();
    toast(`第 ${half + 1} 点不完整：补全或删除\nPoint ${half + 1} is incomplete: complete or remove it`, true);
    return;
  }
  if (page.points.length > 0 && page.points.length < 4) {
    toast("地面点至少四个，或者一个也没有\nFour ground points at least, or none", true);
    return;
  }
  $("save").disabled = true;
  try {
    const done = await ask("save", {
      points: page.points.map(({ xyn, lonlat }) => ({ xyn, lonlat })), zones: page.zones,
    });
    page.dirty = false;
    toast(`已保存 ${done.file}\n备份 ${done.backup}\n代理重启或重新加载后生效\n`
      + "Saved, with a backup; in force when the agent is restarted or reloaded");
  } catch (error) {
    toast(`没有保存 Not saved:\n${error.message}`, true);
  } finally {
    $("save").disabled = false;
  }
}

async function renew() {
  $("renew").disabled = true;
  try {
    await ask("picture", {});
    $("picture").src = `picture.jpg?${Date.now()}`;
  } catch (error) {
    toast(`取不到新图 No new picture:\n${error.message}`, true);
  } finally {
    $("renew").disabled = false;
  }
}

async function start() {
  const state = await ask("state.json");
  const { camera } = state;
  $("camera").replaceChildren(
    element("strong", { textContent: [camera.name, camera.id].filter(Boolean).join(" ") }),
    camera.preset ? ` · 预置位 preset ${camera.preset}` : "", ` · ${state.file}`,
  );
  document.title = `${camera.id} · ${document.title}`;
  page.points = state.points.map(({ xyn, lonlat }) => ({ xyn, lonlat, text: written(lonlat) }));
  page.zones = state.zones;
  page.categories = state.categories;
  page.map = state.map;
  const picture = $("picture");
  picture.addEventListener("load", draw);
  picture.src = "picture.jpg";
  const frame = $("frame");
  frame.addEventListener("pointerdown", onPictureDown);
  frame.addEventListener("pointermove", onPictureMove);
  frame.addEventListener("pointerup", () => { drag = null; });
  frame.addEventListener("pointerleave", () => { $("lens").hidden = true; });
  frame.addEventListener("dblclick", onDoubleClick);
  const map = $("map");
  map.addEventListener("pointerdown", onMapDown);
  map.addEventListener("pointermove", onMapMove);
  map.addEventListener("pointerup", onMapUp);
  map.addEventListener("wheel", onMapWheel, { passive: false });
  for (const name of ["points", "zones"]) $(`tab-${name}`).addEventListener("click", () => openTab(name));
  for (const name of ["cells", "lattice"]) $(`show-${name}`).addEventListener("change", drawOverlay);
  $("draw").addEventListener("click", startZone);
  $("save").addEventListener("click", save);
  $("renew").addEventListener("click", renew);
  window.addEventListener("resize", draw);
  window.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => { if (page.dirty) event.preventDefault(); });
  showEverything();
  draw();
  refit();
}

start().catch((error) => toast(`页面无法打开 The page cannot start:\n${error.message}`, true));
