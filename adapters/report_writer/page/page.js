// The page: fills its parts, and connects what its user can do.

const RESULTS = { completed: "completed", error: "failed", canceled: "canceled", interrupted: "interrupted", running: "running" };

function showHeader() {
  byId("name").textContent = report.name;
  byId("outcome").append(text("span", RESULTS[report.status] || report.status, `badge ${report.status}`),
    ` in ${time(report.length / 1000)}, ${new Date(report.started).toLocaleString()}`);
  byId("error").hidden = !report.error;
  byId("error").textContent = report.error;
  const facts = [["build", report.id], ["command", `img ${report.command} (version ${report.version})`],
    ["context", report.context], ["directory", report.directory], ["options", report.options.join(" ")],
    ...report.images.map((each) => ["image", `${each.digest} ${each.names.join(" ")}`.trim()])];
  for (const [label, value] of facts) if (value) byId("facts").append(text("dt", label), text("dd", value));
  for (const section of document.querySelectorAll("section")) {
    if (!section.hidden) byId("parts").append(make("a", { href: `#${section.id}` }, section.querySelector("h2").textContent));
  }
}

function listen() {
  const after = (id, event, act) => byId(id).addEventListener(event, act);
  after("find-step", "input", filterSteps);
  after("which-steps", "change", filterSteps);
  after("step-order", "change", orderSteps);
  after("which-waste", "change", listWaste);
  after("which-layer", "change", findFiles);
  after("only-waste", "change", findFiles);
  after("find-file", "input", findFiles);
  after("find-line", "input", findLines);
  after("treemap", "mousemove", pointAt);
  after("treemap", "click", enterAt);
  const again = () => image && !image.missing && findFiles();
  new ResizeObserver(again).observe(byId("treemap"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => image && !image.missing && (showLayers(), again()));
}

showStepSummary();
showLanes();
showRows();
showGraph();
chooseImage();
showImage();
showLogs();
showHeader();
listen();
document.documentElement.dataset.shown = "yes";
