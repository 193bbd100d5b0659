// An image: its layers against the base, and its waste.

let image = report.images[0];

function chooseImage() {
  const names = report.images.map((each) => `${each.target ? `${each.target}: ` : ""}${each.names.join(", ") || each.digest || "files"}`);
  byId("which-image").append(...names.map((name, at) => make("option", { value: at }, name)));
  byId("image-choice").hidden = names.length < 2;
  byId("which-image").addEventListener("change", (event) => {
    image = report.images[event.target.value];
    showImage();
  });
}

function showImage() {
  const complete = Boolean(image && !image.missing);
  ["stack", "layers", "files", "waste"].forEach((id) => { byId(id).hidden = !complete; });
  if (!image) {
    byId("sizes").textContent = "The build made no image that the state has.";
  } else if (image.missing) {
    byId("sizes").textContent = `The files of the image are not known: ${image.missing}.`;
  } else {
    showLayers();
    showWaste();
    showFiles();
  }
}

function showLayers() {
  const sum = (layers) => layers.reduce((bytes, layer) => bytes + layer.size, 0);
  const all = sum(image.layers);
  const base = image.layers.filter((layer) => layer.base);
  byId("sizes").textContent = base.length
    ? `${size(all)} compressed: ${size(sum(base))} in ${count(base.length, "layer")} of the base image, and ` +
      `${size(all - sum(base))} in ${count(image.layers.length - base.length, "layer")} of this build.`
    : `${size(all)} compressed, in ${count(image.layers.length, "layer")} of this build.`;
  if (image.by_steps) {
    byId("sizes").textContent += " The state does not have the image; these are the layers of its steps.";
  }
  byId("stack").replaceChildren(...image.layers.map((layer, at) => {
    const part = make("i", { title: `layer ${at + 1}: ${layer.step || "unknown"}, ${size(layer.size)}` });
    part.style.flexGrow = layer.size;
    part.style.background = layerColour(at);
    return part;
  }));
  const heads = [["layer", "amount"], ["instruction", "path"], ["compressed", "amount"], ["files", "amount"], ["added", "amount"],
    ["changed", "amount"], ["removed", "amount"], ["wasted", "amount"]];
  rows(byId("layers"), heads, image.layers.map((layer, at) => [
    make("span", {}, swatch(at), String(at + 1)),
    `${layer.step || "(unknown)"}${layer.base ? " (base image)" : ""}`,
    size(layer.size), size(layer.unpacked), layer.added.toLocaleString("en"), layer.changed.toLocaleString("en"),
    layer.removed.toLocaleString("en"), layer.wasted ? size(layer.wasted) : "",
  ]));
}

function showWaste() {
  const all = image.files[1];
  const files = image.totals.reduce((sum, [, number]) => sum + number, 0);
  byId("wasted").textContent = image.wasted
    ? `${size(image.wasted)} of ${size(all)} in the layers are wasted, before compression.`
    : "No file is overwritten, deleted by a later layer, stored twice, or left by a package manager.";
  byId("which-waste").replaceChildren(make("option", { value: "" }, `all: ${count(files, "file")}`),
    ...image.totals.map(([reason, number, bytes]) =>
      make("option", { value: reason }, `${reason}: ${count(number, "file")}, ${size(bytes)}`)));
  byId("which-waste").closest(".controls").hidden = !image.totals.length;
  listWaste();
}

function listWaste() {
  const reason = byId("which-waste").value;
  const shown = image.waste.filter((each) => !reason || each[0] === reason);
  const other = ([, , , , by, original]) => (by !== null ? `layer ${by + 1}` : original ? `/${original}` : "");
  const heads = [["file", "path"], ["size", "amount"], ["reason"], ["layer", "amount"], ["because of", "path"]];
  rows(byId("wasted-files"), heads, shown.slice(0, 1000).map((each) => [
    `/${each[1]}`, size(each[2]), each[0], each[3] + 1, other(each),
  ]));
  byId("wasted-files").hidden = !shown.length;
}
