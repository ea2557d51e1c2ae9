// The map of one case: grid cells, the position with its error circle, every camera's sighting.
// Nothing is fetched from outside: the cells stand on a plain ground.
"use strict";

(() => {
  const MARGIN_DEGREES = 0.0022;
  const place = document.getElementById("map");
  if (!place) return;
  const map = window.L.map(place, { zoomControl: true, attributionControl: false, scrollWheelZoom: false, minZoom: 12, maxZoom: 22, zoomSnap: 0.25 });
  const cells = window.L.geoJSON(null, { style: cellStyle }).addTo(map);
  const names = window.L.layerGroup().addTo(map);
  const marks = window.L.layerGroup().addTo(map);
  let known = null;
  let askedFor = "";
  window.L.control.scale({ imperial: false }).addTo(map);

  function data() {
    return JSON.parse(document.getElementById("map-data").dataset.map);
  }

  function cellStyle(feature) {
    const own = feature.properties.code === known?.cell;
    return { className: own ? "map-cell own" : "map-cell", weight: own ? 3 : 1 };
  }

  // Even-odd rule over all rings of a polygon or multipolygon, in degrees.
  function holds(geometry, { lat, lng }) {
    const polygons = geometry.type === "MultiPolygon" ? geometry.coordinates : [geometry.coordinates];
    let inside = false;
    for (const ring of polygons.flat()) {
      ring.forEach(([x1, y1], at) => {
        const [x2, y2] = ring[(at + 1) % ring.length];
        if (y1 > lat !== y2 > lat && lng < ((x2 - x1) * (lat - y1)) / (y2 - y1) + x1) inside = !inside;
      });
    }
    return inside;
  }

  // Neighbours are named in the middle of what is seen of them, if that lies inside them.
  function nameCells() {
    names.clearLayers();
    const view = map.getBounds();
    cells.eachLayer((layer) => {
      const { code } = layer.feature.properties;
      const box = layer.getBounds();
      if (code === known.cell || !view.intersects(box)) return;
      const low = window.L.latLng(Math.max(view.getSouth(), box.getSouth()), Math.max(view.getWest(), box.getWest()));
      const high = window.L.latLng(Math.min(view.getNorth(), box.getNorth()), Math.min(view.getEast(), box.getEast()));
      const size = map.latLngToContainerPoint(high).subtract(map.latLngToContainerPoint(low));
      const middle = window.L.latLng((low.lat + high.lat) / 2, (low.lng + high.lng) / 2);
      if (size.x < 60 || -size.y < 14 || !holds(layer.feature.geometry, middle)) return;
      const text = document.createElement("span");
      text.textContent = `…${code.slice(-7)}`;
      text.title = code;
      window.L.tooltip({ permanent: true, direction: "center", className: "cell-name" }).setLatLng(middle).setContent(text).addTo(names);
    });
  }

  // The case's own cell is named in the corner, where it stays readable however close one looks.
  function nameOwnCell() {
    const control = window.L.control({ position: "topright" });
    control.onAdd = () => {
      const text = document.createElement("div");
      text.className = "own-cell";
      text.textContent = known.cell + (known.official ? "" : " 非官方 Unofficial");
      return text;
    };
    control.addTo(map);
  }

  function pin(sighting) {
    const text = document.createElement("span");
    text.textContent = String(sighting.n);
    const icon = window.L.divIcon({ html: text, className: `pin-icon phase-${sighting.phase}`, iconSize: [24, 24], iconAnchor: [12, 29] });
    const words = `${sighting.n} · ${sighting.camera_id}`;
    const marker = window.L.marker([sighting.lat, sighting.lon], { icon, title: words, alt: words, keyboard: true });
    const tip = document.createElement("span");
    tip.textContent = sighting.error_m === null ? words : `${words} ± ${sighting.error_m.toFixed(1)} m`;
    return marker.bindTooltip(tip, { direction: "top", offset: [0, -28] });
  }

  function drawMarks() {
    marks.clearLayers();
    if (known.position) {
      const { lat, lon, error_m: error } = known.position;
      if (error) window.L.circle([lat, lon], { radius: error, className: "map-error", interactive: false }).addTo(marks);
      window.L.circleMarker([lat, lon], { radius: 6, className: "map-here", interactive: false }).addTo(marks);
    }
    for (const sighting of known.sightings) {
      if (sighting.lat === null) continue;
      if (sighting.error_m) window.L.circle([sighting.lat, sighting.lon], { radius: sighting.error_m, className: "map-seen-error", interactive: false }).addTo(marks);
      pin(sighting).addTo(marks);
    }
  }

  async function drawCells() {
    const { lat, lon } = known.position;
    const box = [lon - MARGIN_DEGREES, lat - MARGIN_DEGREES, lon + MARGIN_DEGREES, lat + MARGIN_DEGREES].map((n) => n.toFixed(6)).join(",");
    if (box === askedFor) return;
    const answer = await fetch(`/api/cells?bbox=${box}`, { credentials: "same-origin" });
    if (!answer.ok) return;
    askedFor = box;
    cells.clearLayers();
    cells.addData(await answer.json());
    nameCells();
    cells.eachLayer((layer) => layer.feature.properties.code === known.cell && layer.bringToFront());
  }

  function look() {
    // Everybody's sightings in view; a single one is shown from farther, with its cell around it.
    const { lat, lon } = known.position;
    const across = known.sightings.length > 1 ? 34 : 70;
    const bounds = window.L.latLng(lat, lon).toBounds(Math.max(across, 5 * (known.position.error_m || 0)));
    for (const sighting of known.sightings) if (sighting.lat !== null) bounds.extend([sighting.lat, sighting.lon]);
    map.fitBounds(bounds, { animate: false, padding: [8, 8] });
  }

  function draw() {
    const first = known === null;
    known = data();
    place.classList.toggle("empty-map", !known.position);
    if (!known.position) return;
    if (first) {
      look();
      if (known.cell) nameOwnCell();
      map.once("focus", () => map.scrollWheelZoom.enable());
    }
    drawMarks();
    drawCells().catch(() => {});
  }

  draw();
  map.on("moveend", nameCells);
  document.addEventListener("gridwatch:part", (event) => event.detail.id === "map-data" && draw());
  window.addEventListener("beforeprint", () => map.invalidateSize());
})();
