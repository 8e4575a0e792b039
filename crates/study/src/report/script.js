// A read-out under the pointer: everything it shows is in the plot already.
for (const figure of document.querySelectorAll("figure.plot")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const box = document.createElement("div");
  box.className = "readout";
  figure.append(box);
  const show = (value) =>
    value === null ? "" :
    Math.abs(value) >= 1e9 || (value !== 0 && Math.abs(value) < 1e-4) ? value.toExponential(2) :
    value.toLocaleString("en", { minimumFractionDigits: data.d, maximumFractionDigits: data.d }).replace("-", "\u2212");
  for (const svg of figure.querySelectorAll("svg.chart")) {
    const numbers = (name) => svg.dataset[name].split(" ").map(Number);
    const [left, right, top, bottom] = numbers("frame");
    const [x0, x1] = numbers("x");
    const [y0, y1, log] = numbers("y");
    const placeX = (x) => left + (x - x0) / (x1 - x0) * (right - left);
    const placeY = (y) => {
      const part = log ? Math.log(y / y0) / Math.log(y1 / y0) : (y - y0) / (y1 - y0);
      return bottom + Math.min(1, Math.max(0, part)) * (top - bottom);
    };
    const marks = document.createElementNS("http://www.w3.org/2000/svg", "g");
    svg.append(marks);
    const hide = () => { marks.replaceChildren(); box.style.display = "none"; };
    const draw = (kind, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      marks.append(element);
    };
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", (event) => {
      const frame = svg.getBoundingClientRect();
      const scale = frame.width / svg.viewBox.baseVal.width;
      const at = (event.clientX - frame.left) / scale;
      if (at < left - 8 || at > right + 8 || !data.x.length) return hide();
      let best = 0;
      for (let i = 1; i < data.x.length; i++)
        if (Math.abs(placeX(data.x[i]) - at) < Math.abs(placeX(data.x[best]) - at)) best = i;
      const rows = data.s.filter((s) => s.y[best] !== null).sort((a, b) => b.y[best] - a.y[best]);
      if (!rows.length) return hide();
      marks.replaceChildren();
      const x = placeX(data.x[best]);
      draw("line", { class: "cross", x1: x, x2: x, y1: top, y2: bottom });
      for (const s of rows) draw("circle", { class: "probe " + s.c, cx: x, cy: placeY(s.y[best]), r: 4 });
      const title = document.createElement("b");
      title.textContent = data.x[best].toLocaleString("en") + " " + figure.dataset.xName;
      const table = document.createElement("table");
      for (const s of rows) {
        const row = table.insertRow();
        row.insertCell().textContent = s.n;
        row.cells[0].className = s.c;
        row.insertCell().textContent = show(s.y[best]);
        const known = s.l[best] !== null && s.h[best] !== null && s.l[best] !== s.h[best];
        row.insertCell().textContent = known ? `[${show(s.l[best])}, ${show(s.h[best])}]` : "";
      }
      box.replaceChildren(title, table);
      box.style.display = "block";
      const outer = figure.getBoundingClientRect();
      const place = frame.left - outer.left + x * scale;
      const beside = place + 16 + box.offsetWidth > outer.width ? place - 16 - box.offsetWidth : place + 16;
      box.style.left = Math.max(0, beside) + "px";
      box.style.top = frame.top - outer.top + top * scale + "px";
    });
  }
}
