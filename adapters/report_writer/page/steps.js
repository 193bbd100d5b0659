// Steps in time: what ran beside what, what waited for what, and the critical path.

const stepRows = [];
const users = report.steps.map(() => []);
report.steps.forEach((step, at) => (step.inputs || []).forEach((input) => users[input].push(at)));

const seconds = (step) => (step.status === "cached" ? 0 : step.end - step.start);
const ran = (step) => step.status !== "cached";
const total = Math.max(report.length / 1000, ...report.steps.map((step) => step.end), 0.001);

function showStepSummary() {
  const own = report.steps.filter((step) => step.number);
  const path = report.steps.filter((step) => step.critical);
  const busy = report.steps.reduce((sum, step) => sum + seconds(step), 0);
  const waits = path.reduce((sum, step) => sum + seconds(step), 0);
  byId("summary").textContent =
    `${count(own.filter(ran).length, "step")} ran and ${count(own.length - own.filter(ran).length, "step")} ` +
    `${own.length - own.filter(ran).length === 1 ? "was" : "were"} cached. On average ${(busy / total).toFixed(1)} ran at once. ` +
    `The end waited for the critical path of ${count(path.length, "step")}, which took ${time(waits)} of ${time(total)}.`;
  const entries = [["done", "ran"], ["cached", "cached"], ["failed", "failed"], ["queue", "inputs ready, not started"],
    ["critical", "critical path"]];
  byId("step-legend").append(...entries.map(([kind, label]) => make("li", {}, make("i", { class: `swatch ${kind}` }), label)));
}

function showLanes() {
  const free = []; // the end of the last step in each lane
  const height = 12;
  const svg = byId("lanes");
  const order = report.steps.map((step, at) => [step, at]).filter(([step]) => seconds(step) > 0);
  order.sort(([a], [b]) => a.start - b.start);
  for (const [step, at] of order) {
    let lane = free.findIndex((end) => end <= step.start + 0.0005);
    if (lane < 0) lane = free.push(0) - 1;
    free[lane] = step.end;
    const box = make("rect", {
      class: `${step.status}${step.critical ? " critical" : ""}`, x: percent(step.start, total), y: lane * height + 2,
      width: percent(seconds(step), total), height: height - 4, on: { click: () => openStep(at) },
    }, text("title", `${step.name}: ${time(seconds(step))}`));
    svg.append(box);
  }
  svg.style.height = `${Math.max(free.length, 1) * height}px`;
}

function showRows() {
  const ticks = make("span", {}, ...[0, 0.25, 0.5, 0.75, 1].map((part) => text("span", time(part * total))));
  const axis = make("div", { class: "axis" }, text("span", "#", "number"), text("span", "step"), text("span", "time", "number"),
    text("span", "size", "number"), ticks);
  report.steps.forEach((step, at) => stepRows.push(stepRow(step, at)));
  byId("rows").append(axis);
  orderSteps();
}

function orderSteps() {
  const places = report.steps.map((_, at) => at);
  const byTime = byId("step-order").value === "time";
  const key = (at) => (byTime ? report.steps[at].start : -seconds(report.steps[at]));
  byId("rows").append(...places.sort((one, other) => key(one) - key(other)).map((at) => stepRows[at]));
}

function stepRow(step, at) {
  const bar = make("span", { class: "bar" });
  const part = (kind, from, to) => {
    const box = make("i", { class: kind });
    box.style.left = `min(${percent(from, total)}, 100% - 2px)`;
    box.style.width = percent(to - from, total);
    bar.append(box);
  };
  const start = step.start;
  if (ran(step) && step.waited > total / 500) part("queue", start - step.waited, start);
  part(`${step.status}${step.critical ? " critical" : ""}`, start, start + seconds(step));
  const name = text("span", step.name, "text");
  name.title = step.name;
  const summary = make("summary", { class: "row" }, text("span", step.number || "", "number"), name,
    text("span", ran(step) ? time(seconds(step)) : STATUS.cached, "number"),
    text("span", step.size === undefined ? "" : size(step.size), "number"), bar);
  const row = make("details", {}, summary);
  row.addEventListener("toggle", () => {
    if (row.open && row.children.length === 1) row.append(moreOf(step, at));
    markNeighbours();
  });
  return row;
}

function moreOf(step, at) {
  const facts = make("dl");
  const fact = (label, ...values) => values.length && facts.append(text("dt", label), make("dd", {}, ...values));
  const links = (places) => places.flatMap((place) => [stepLink(place), make("br")]);
  fact("step", step.name);
  fact("state", STATUS[step.status] || step.status);
  if (step.reasons) fact("ran because", ...step.reasons.flatMap((reason) => [reason, make("br")]));
  fact("time", `${time(seconds(step))}, from ${time(step.start)} to ${time(step.end)}`);
  if (step.waited > 0.0005) fact("in the queue", `${time(step.waited)} between the end of its inputs and its start`);
  fact("waited for", ...links(step.inputs || []));
  fact("needed by", ...links(users[at].slice(0, 20)));
  if (step.size !== undefined) fact("layer", `${size(step.size)} compressed`);
  if (step.received) fact("downloaded", size(step.received));
  if (step.lines) fact("lines", step.lines[0] === step.lines[1] ? step.lines[0] : step.lines.join("–"));
  (step.warnings || []).forEach((warning) => fact("warning", warning));
  if (step.message) fact("error", step.message);
  const more = make("div", { class: "more" }, facts);
  if (step.log) more.append(...logOf(step));
  return more;
}

const stepLink = (at) => make("button", { class: "plain", on: { click: () => openStep(at) } }, report.steps[at].name);

function openStep(at) {
  byId("find-step").value = "";
  byId("which-steps").value = "all";
  filterSteps();
  stepRows[at].open = true;
  stepRows[at].scrollIntoView({ block: "center" });
  stepRows[at].firstChild.focus({ preventScroll: true });
}

function markNeighbours() {
  stepRows.forEach((row) => row.classList.remove("input", "user"));
  stepRows.forEach((row, at) => {
    if (!row.open) return;
    (report.steps[at].inputs || []).forEach((input) => stepRows[input].classList.add("input"));
    users[at].forEach((user) => stepRows[user].classList.add("user"));
  });
}

function filterSteps() {
  const wanted = byId("find-step").value.toLowerCase();
  const which = byId("which-steps").value;
  report.steps.forEach((step, at) => {
    const kind = which === "all" || (which === "ran" ? ran(step) : which === "failed" ? step.status === "failed" : step.critical);
    stepRows[at].hidden = !(kind && step.name.toLowerCase().includes(wanted));
  });
}
