"use strict";
// Draws what stands in the page itself: no address is asked for anything.
const told = JSON.parse(document.getElementById("told").textContent);
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();
const by = (id) => document.getElementById(id);
const make = (name, text, kind) => { const node = document.createElement(name); if (text !== undefined) node.textContent = text; if (kind) node.className = kind; return node; };

// ── Charts, one above the other, moving together ──
const charts = [];
function chart(id, options) {
  const made = LightweightCharts.createChart(by(id), {
    autoSize: true,
    layout: { background: { color: colour("--ground") }, textColor: colour("--dim"), fontFamily: "system-ui, sans-serif", attributionLogo: id === "price" },
    grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
    rightPriceScale: { borderColor: colour("--line"), minimumWidth: 84 },
    timeScale: { borderColor: colour("--line"), timeVisible: told.span_ms < 86400000, minBarSpacing: 0.01 },
    crosshair: { mode: 0 },
    ...options,
  });
  charts.push(made);
  return made;
}
const price = chart("price");
const candles = price.addSeries(LightweightCharts.CandlestickSeries, {
  upColor: colour("--up"), downColor: colour("--down"), wickUpColor: colour("--up"), wickDownColor: colour("--down"), borderVisible: false,
  priceFormat: { type: "price", precision: told.precision, minMove: 10 ** -told.precision },
});
const rows = told.candles;
candles.setData(rows.map((row) => ({ time: row[0], open: row[1], high: row[2], low: row[3], close: row[4] })));
// Of very many trades in sight those that mattered most are drawn; words stand beside the arrows where there is room.
const ROOM = 36, DRAWN = 120;
function arrows(range) {
  const seen = range ? told.marks.filter((mark) => mark[0] >= range.from && mark[0] <= range.to) : told.marks;
  const least = seen.length > DRAWN ? seen.map((mark) => Math.abs(mark[3])).sort((one, other) => other - one)[DRAWN - 1] : 0;
  const chosen = least ? seen.filter((mark) => Math.abs(mark[3]) >= least) : seen;
  by("few").textContent = chosen.length < seen.length ? `(of ${seen.length} in sight the ${chosen.length} that mattered most; all where you zoom in)` : "";
  return chosen.map((mark) => ({
    time: mark[0], position: mark[1] > 0 ? "belowBar" : "aboveBar", shape: mark[1] > 0 ? "arrowUp" : "arrowDown",
    color: mark[2] === "in" ? colour("--mark") : mark[3] >= 0 ? colour("--up") : colour("--down"), text: seen.length <= ROOM ? mark[4] : "",
  }));
}
const drawn = LightweightCharts.createSeriesMarkers(candles, arrows(null));
price.timeScale().subscribeVisibleTimeRangeChange((range) => { if (range) drawn.setMarkers(arrows(range)); });
const equity = chart("equity");
const line = equity.addSeries(LightweightCharts.AreaSeries, { lineColor: colour("--mark"), topColor: colour("--mark") + "44", bottomColor: colour("--mark") + "05", lineWidth: 2 });
line.setData(told.equity.map((row) => ({ time: row[0], value: row[1] })));
const held = equity.addSeries(LightweightCharts.LineSeries, { color: colour("--dim"), lineWidth: 1, lastValueVisible: false, priceLineVisible: false });
held.setData(told.equity.map((row) => ({ time: row[0], value: row[3] })));
const fall = chart("drawdown");
fall.addSeries(LightweightCharts.AreaSeries, {
  lineColor: colour("--down"), topColor: colour("--down") + "05", bottomColor: colour("--down") + "44", lineWidth: 1,
  priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => value.toFixed(1) + " %" },
}).setData(told.equity.map((row) => ({ time: row[0], value: -100 * row[2] })));
if (told.exposure) {
  const percent = { type: "custom", minMove: 0.01, formatter: (value) => value.toFixed(1) + " %" };
  const exposed = chart("exposure");
  exposed.addSeries(LightweightCharts.AreaSeries, { lineColor: colour("--mark"), topColor: colour("--mark") + "33", bottomColor: colour("--mark") + "05", lineWidth: 1, lineType: 1, priceFormat: percent, lastValueVisible: false, priceLineVisible: false })
    .setData(told.exposure.map((row) => ({ time: row[0], value: row[1] })));
  exposed.addSeries(LightweightCharts.LineSeries, { color: colour("--ink"), lineWidth: 1, lineType: 1, priceFormat: percent, priceLineVisible: false })
    .setData(told.exposure.map((row) => ({ time: row[0], value: row[2] })));
}
let moving = false;
for (const one of charts) one.timeScale().subscribeVisibleTimeRangeChange((range) => {
  if (moving || !range) return;
  moving = true;
  for (const other of charts) if (other !== one) other.timeScale().setVisibleRange(range);
  moving = false;
});
price.timeScale().fitContent();

// ── Tables, a leaf at a time, sorted by any column ──
document.querySelectorAll(".leafed").forEach((frame) => {
  const part = (kind) => frame.querySelector(kind);
  const signed = told.signed[frame.id], money = told.money[frame.id], shares = told.shares[frame.id], size = 25;
  const words = (place) => leaf.rows.some((row) => row[place] !== null && row[place] !== "" && Number.isNaN(Number(row[place])));
  const short = (cell, place) => {
    if (cell === null || cell === "") return "";
    if (shares.includes(place)) return `${(100 * cell).toFixed(2)} %`;
    if (!money.includes(place) || Number(cell) === 0) return String(cell);
    return Math.abs(cell) >= 1 ? Number(cell).toFixed(2) : String(Number(Number(cell).toPrecision(3)));
  };
  const leaf = { at: 0, rows: told.tables[frame.id].slice(), by: -1, down: false };
  const worded = Array.from(frame.querySelectorAll("th"), (head, place) => head.classList.toggle("word", words(place)));
  function show() {
    const from = leaf.at * size;
    part("tbody").replaceChildren(...leaf.rows.slice(from, from + size).map((row) => {
      const line = make("tr");
      row.forEach((cell, place) => {
        const kind = signed.includes(place) ? (parseFloat(cell) < 0 ? "down" : "up") : worded[place] ? "word" : "";
        const box = make("td", short(cell, place), kind);
        if (money.includes(place)) box.title = cell;
        line.append(box);
      });
      return line;
    }));
    const leaves = Math.max(1, Math.ceil(leaf.rows.length / size));
    part(".where").textContent = `${leaf.at + 1} / ${leaves}`;
    part(".back").disabled = leaf.at === 0;
    part(".on").disabled = leaf.at >= leaves - 1;
  }
  part(".back").onclick = () => { leaf.at -= 1; show(); };
  part(".on").onclick = () => { leaf.at += 1; show(); };
  frame.querySelectorAll("th[data-sort]").forEach((head) => {
    head.onclick = () => {
      const place = Number(head.dataset.sort);
      leaf.down = leaf.by === place ? !leaf.down : false;
      leaf.by = place;
      const number = (cell) => (cell === null || cell === "" ? -Infinity : parseFloat(cell));
      leaf.rows.sort((one, other) => (worded[place] ? String(one[place] ?? "").localeCompare(String(other[place] ?? "")) : number(one[place]) - number(other[place])) * (leaf.down ? -1 : 1));
      leaf.at = 0;
      show();
    };
  });
  show();
});
