// The files of all layers as a treemap (squarified: Bruls, Huizing and van Wijk), and as a table.

let way = []; // from the root to the shown directory: { name, directory }
let boxes = [];

// A directory is [name, bytes, directories, files, small files]; files are flat: name, bytes, layer, reason.
function contentOf(directory) {
  const [, , directories, files, small] = directory;
  const layer = byId("which-layer").value;
  const waste = byId("only-waste").checked;
  const fits = (each, reason) => (layer === "" || each === Number(layer)) && (!waste || reason);
  const found = [];
  for (let each of directories) {
    let name = `${each[0]}/`;
    while (each[2].length === 1 && !each[3].length && !each[4].length) { // a single directory is in it
      [each] = each[2];
      name += `${each[0]}/`;
    }
    const bytes = layer === "" && !waste ? each[1] : contentOf(each).reduce((sum, inside) => sum + inside.bytes, 0);
    if (bytes) found.push({ name, bytes, directory: each });
  }
  for (let at = 0; at < files.length; at += 4) {
    const [name, bytes, of, reason] = files.slice(at, at + 4);
    if (fits(of, reason)) found.push({ name, bytes, layer: of, reason });
  }
  const less = { name: "", bytes: 0, number: 0 };
  for (let at = 0; at < small.length; at += 3) {
    const [number, bytes, of] = small.slice(at, at + 3);
    if (fits(of, false)) Object.assign(less, { bytes: less.bytes + bytes, number: less.number + number, layer: of });
  }
  if (less.number) found.push({ ...less, name: count(less.number, "smaller file") });
  return found.sort((a, b) => b.bytes - a.bytes);
}

function showFiles() {
  way = [{ name: "/", directory: image.files }];
  const label = (layer, at) => `${at + 1}: ${layer.step || "(unknown)"}`.slice(0, 70);
  byId("which-layer").replaceChildren(make("option", { value: "" }, "all layers"),
    ...image.layers.map((layer, at) => make("option", { value: at }, label(layer, at))));
  byId("find-file").value = "";
  showDirectory();
}

function showDirectory() {
  const content = contentOf(way.at(-1).directory);
  byId("way").replaceChildren(...way.map(({ name }, at) =>
    make("button", { class: "plain", on: { click: () => { way = way.slice(0, at + 1); showDirectory(); } } }, name)), text("span", `– ${size(content.reduce((sum, each) => sum + each.bytes, 0))}`, "note"));
  drawMap(content);
  listInside(content.slice(0, 18), content.length);
}

function listInside(content, number) {
  const name = (each) => (each.directory
    ? make("button", { class: "plain", on: { click: () => enter(each) } }, each.name)
    : make("span", {}, swatch(each.layer), each.name));
  const lines = content.map((each) => [name(each), size(each.bytes)]);
  if (number > content.length) lines.push([`${number - content.length} more`, ""]);
  rows(byId("inside"), [["largest here", "path"], ["size", "amount"]], lines);
}

function enter(each) {
  way.push({ name: each.name, directory: each.directory });
  showDirectory();
}

function findFiles() {
  const wanted = byId("find-file").value.toLowerCase();
  if (!wanted) return showDirectory();
  const found = [];
  const look = (directory, path) => {
    for (const each of contentOf(directory)) {
      const name = path + each.name;
      if (each.directory) look(each.directory, name);
      else if (!each.number && name.toLowerCase().includes(wanted)) found.push({ ...each, name });
    }
  };
  look(image.files, "/");
  found.sort((a, b) => b.bytes - a.bytes);
  byId("way").replaceChildren(text("span", `${count(found.length, "file")} with “${byId("find-file").value}” in the path`));
  drawMap(found.slice(0, 2000));
  return listInside(found.slice(0, 100), found.length);
}

function drawMap(content) {
  const canvas = byId("treemap");
  const { width, height } = canvas.getBoundingClientRect();
  const scale = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  boxes = [];
  const colours = { text: colour("--text"), line: colour("--back"), panel: colour("--line") };
  drawInside(pen, colours, content, { x: 0, y: 0, w: width, h: height }, "", 0);
}

function drawInside(pen, colours, content, area, path, depth) {
  for (const { each, x, y, w, h } of squarified(content, area)) {
    if (w < 2 || h < 2) continue;
    const name = path + each.name;
    boxes.push({ x, y, w, h, each, name, depth });
    const divided = each.directory && w * h > 600 && w > 8 && h > 8;
    const gap = w > 6 && h > 6 ? 1 : 0.3;
    pen.fillStyle = divided ? colours.panel : layerColour(each.directory ? mainLayer(each.directory) : each.layer);
    pen.fillRect(x, y, w - gap, h - gap);
    if (each.reason) hatch(pen, colours.text, x, y, w - 1, h - 1);
    const label = w > 46 && h > 17;
    const head = each.directory && label ? 16 : 0;
    if (divided) {
      drawInside(pen, colours, contentOf(each.directory), { x: x + 1, y: y + 1 + head, w: w - 2, h: h - 2 - head }, name,
        depth + 1);
    }
    if (label) write(pen, colours.text, each.name, x, y, w);
  }
}

function mainLayer(directory) {
  let largest = contentOf(directory)[0];
  while (largest && largest.directory) [largest] = contentOf(largest.directory);
  return largest ? largest.layer : 0;
}

function write(pen, colour, name, x, y, w) {
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour;
  const most = Math.floor((w - 8) / 6.5);
  pen.fillText(name.length > most ? `${name.slice(0, most - 1)}…` : name, x + 4, y + 13, w - 8);
}

function hatch(pen, colour, x, y, w, h) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, w, h);
  pen.clip();
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.4;
  for (let at = x - h; at < x + w; at += 7) {
    pen.moveTo(at, y + h);
    pen.lineTo(at + h, y);
  }
  pen.stroke();
  pen.restore();
}

function* squarified(content, { x, y, w, h }) {
  let left = content.reduce((sum, each) => sum + each.bytes, 0);
  let at = 0;
  while (at < content.length && w > 1 && h > 1) {
    const side = Math.min(w, h);
    const scale = (w * h) / left; // pixels for a byte
    let [sum, end, worst] = [0, at, Infinity];
    while (end < content.length) {
      const next = sum + content[end].bytes;
      const [largest, smallest] = [content[at].bytes * scale, content[end].bytes * scale];
      const ratio = Math.max((side * side * largest) / (next * scale) ** 2, (next * scale) ** 2 / (side * side * smallest));
      if (ratio > worst) break;
      [sum, end, worst] = [next, end + 1, ratio];
    }
    const thick = (sum * scale) / side;
    let along = 0;
    for (const each of content.slice(at, end)) {
      const length = (each.bytes * scale) / thick;
      yield w >= h ? { each, x, y: y + along, w: thick, h: length } : { each, x: x + along, y, w: length, h: thick };
      along += length;
    }
    if (w >= h) [x, w] = [x + thick, w - thick];
    else [y, h] = [y + thick, h - thick];
    [left, at] = [left - sum, end];
  }
}

function boxAt(event, depth) {
  const zero = byId("treemap").getBoundingClientRect();
  const [x, y] = [event.clientX - zero.left, event.clientY - zero.top];
  const under = boxes.filter((box) => x >= box.x && x < box.x + box.w && y >= box.y && y < box.y + box.h);
  return depth === undefined ? under.at(-1) : under.find((box) => box.depth === depth);
}

function pointAt(event) {
  const box = boxAt(event);
  if (!box) return;
  const { each } = box;
  const place = way.map(({ name }) => name).join("");
  const more = each.directory ? "" : `, layer ${each.layer + 1}${each.reason ? `, ${each.reason}` : ""}`;
  byId("pointed").textContent = `${place}${box.name}: ${size(each.bytes)}${more}`;
}

function enterAt(event) {
  const box = boxAt(event, 0);
  if (box && box.each.directory && !byId("find-file").value) enter(box.each);
}
