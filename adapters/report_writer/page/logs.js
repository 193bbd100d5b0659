// The output of steps. Long output has its start and end here, and all of it in the history.

const MOST_LINES = 500; // matching lines that are shown
const MOST_MARKS = 5000; // in all of them: a line of 1 MB may match everywhere

function logOf(step) {
  const [first, last, leftOut] = step.log;
  if (!leftOut) return [text("pre", first)];
  const where = `img history logs ${report.id}${step.number ? ` ${step.number}` : ""}`;
  return [text("pre", first), text("p", `… ${size(leftOut)} are left out here: ${where}`, "note"), text("pre", last)];
}

const withLogs = () => report.steps.filter((step) => step.log);

function showLogs() {
  const steps = withLogs();
  byId("find-line").closest(".controls").hidden = !steps.length;
  byId("found-lines").textContent = steps.length ? "" : "No step wrote any output.";
  byId("outputs").replaceChildren(...steps.map((step) => {
    const title = `${step.number ? `${step.number} ` : ""}${step.name}`;
    const details = make("details", {}, make("summary", {}, title, text("span", ` – ${size(step.log[3])}`, "note")));
    details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(...logOf(step)));
    return details;
  }));
  if (steps.length === 1 || report.error) {
    const failed = steps.findIndex((step) => step.status === "failed");
    const at = failed >= 0 ? failed : steps.length === 1 ? 0 : -1;
    if (at >= 0) byId("outputs").children[at].open = true;
  }
}

function findLines() {
  const wanted = byId("find-line").value;
  if (!wanted) return showLogs();
  const low = wanted.toLowerCase();
  let [number, shown] = [0, 0];
  const left = { marks: MOST_MARKS };
  const found = [];
  for (const step of withLogs()) {
    const lines = step.log.slice(0, 2).flatMap((part) => part.split("\n")).filter((line) => line.toLowerCase().includes(low));
    number += lines.length;
    const some = lines.slice(0, MOST_LINES - shown);
    shown += some.length;
    if (some.length) found.push(make("div", {}, text("p", `${step.name} – ${count(lines.length, "line")}`), marked(some, low, left)));
  }
  byId("found-lines").textContent =
    `${count(number, "line")} with “${wanted}”${number > shown ? `, of which ${shown} are shown` : ""}`;
  return byId("outputs").replaceChildren(...found);
}

function marked(lines, wanted, left) {
  const block = make("pre");
  for (const line of lines) {
    let from = 0;
    const low = line.toLowerCase();
    for (let at = low.indexOf(wanted); at >= 0 && left.marks > 0; at = low.indexOf(wanted, from)) {
      left.marks -= 1;
      block.append(line.slice(from, at), text("mark", line.slice(at, at + wanted.length)));
      from = at + wanted.length;
    }
    block.append(`${line.slice(from)}\n`);
  }
  return block;
}
