"use strict";
// The report is data from builds and images. It reaches the page as text (textContent), never as HTML.

const report = JSON.parse(document.getElementById("report").textContent);
for (const step of report.steps) {
  for (const name of ["start", "end", "waited"]) step[name] = (step[name] || 0) / 1000; // ms
}
const byId = (id) => document.getElementById(id);
const STATUS = { done: "ran", cached: "cached", failed: "failed", canceled: "canceled", running: "did not end" };

function make(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "path", "title"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") Object.entries(value).forEach(([event, act]) => element.addEventListener(event, act));
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const text = (name, content, className) => make(name, className ? { class: className } : {}, String(content));

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const unit = Math.min(Math.floor(Math.log2(bytes) / 10), 5);
  const amount = bytes / 1024 ** unit;
  return `${amount.toFixed(amount < 10 ? 2 : amount < 100 ? 1 : 0)} ${"KMGTP"[unit - 1]}iB`;
}

function time(seconds) {
  if (seconds < 0.0995) return seconds < 0.0005 ? "0" : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
const percent = (part, whole) => `${whole ? (100 * part) / whole : 0}%`;

function rows(table, heads, lines) {
  const cell = (name, value, kind) => {
    const made = make(name, kind ? { class: kind } : {});
    made.append(value instanceof Node ? value : String(value));
    return made;
  };
  const head = make("tr", {}, ...heads.map(([label, kind]) => cell("th", label, kind)));
  const body = lines.map((line) => make("tr", {}, ...line.map((value, at) => cell("td", value, heads[at][1]))));
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

// Colours of layers: neighbours differ in hue by the golden angle.
const layerColour = (layer) => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return `hsl(${(210 + layer * 137.5) % 360} ${dark ? "38% 42%" : "52% 68%"})`;
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function swatch(layer) {
  const box = make("i", { class: "swatch" });
  box.style.background = layerColour(layer);
  return box;
}
