// The graph: a block for each stage, a chip for each step, a line for each input from elsewhere.

const chips = new Map();

function showGraph() {
  const stages = new Map();
  report.steps.forEach((step, at) => {
    if (!step.number) return;
    if (!stages.has(step.stage || "")) stages.set(step.stage || "", []);
    stages.get(step.stage || "").push(at);
  });
  const place = byId("stages");
  const amount = [...stages.values()].reduce((sum, steps) => sum + steps.length, 0);
  byId("graph").hidden = amount === 0;
  place.classList.toggle("many", amount > 150);
  for (const [stage, steps] of stages) {
    const row = make("div", { class: "chips" }, ...steps.map((at) => chipOf(at, amount > 150)));
    const title = `${stage || "the only stage"}: ${count(steps.length, "step")}`;
    place.append(make("div", { class: "stage" }, text("h3", title), row));
  }
  place.append(make("svg", { "aria-hidden": "true" }));
  new ResizeObserver(drawLines).observe(place);
}

function chipOf(at, small) {
  const step = report.steps[at];
  const instruction = step.name.slice(step.name.indexOf("] ") + 1).trim();
  const label = `${step.number} ${instruction.split(" ")[0].slice(0, 12)}`;
  const chip = make("button", {
    class: `chip ${step.status}${step.critical ? " critical" : ""}`,
    title: `${step.name} (${STATUS[step.status] || step.status}, ${time(seconds(step))})`,
    "aria-label": small ? step.name : undefined,
    on: { click: () => openStep(at) },
  }, small ? "" : label);
  chips.set(at, chip);
  return chip;
}

function drawLines() {
  const place = byId("stages");
  const zero = place.getBoundingClientRect();
  const lines = [];
  for (const [at, chip] of chips) {
    for (const input of report.steps[at].inputs || []) {
      const from = chips.get(input);
      if (!from || from === chip.previousElementSibling) continue;
      const a = from.getBoundingClientRect();
      const b = chip.getBoundingClientRect();
      const down = b.top >= a.bottom;
      const [x1, y1] = [a.left + a.width / 2 - zero.left, (down ? a.bottom : a.top) - zero.top];
      const [x2, y2] = [b.left + b.width / 2 - zero.left, (down ? b.top : a.top === b.top ? b.top : b.bottom) - zero.top];
      const bend = down ? Math.min((y2 - y1) / 2, 40) : -14;
      const critical = report.steps[at].critical && report.steps[input].critical;
      lines.push(make("path", {
        d: `M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - (down ? bend : -bend)} ${x2} ${y2}`,
        class: critical ? "critical" : undefined,
      }));
    }
  }
  place.lastChild.replaceChildren(...lines);
}
