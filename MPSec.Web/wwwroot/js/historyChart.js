// Charts of the past over uPlot: mean in a band from min to max, marks under the plot, brushing. create() returns what the HistoryChart component talks to.
import uPlot from "../lib/uPlot.esm.js";

const charts = new Set();
document.addEventListener("mpsec:theme", () => charts.forEach(c => c.setTheme()));

export function create(element, owner, config) {
  const chart = new Chart(element, owner, config);
  charts.add(chart);
  return chart;
}

class Chart {
  constructor(element, owner, config) {
    this.element = element;
    this.owner = owner;
    this.config = config;
    this.marks = [];
    this.top = 1;
    this.step = 1;
    this.number = new Intl.NumberFormat(config.language, { maximumSignificantDigits: 3 });
    this.clock = new Intl.DateTimeFormat(config.language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    this.minute = new Intl.DateTimeFormat(config.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.day = new Intl.DateTimeFormat(config.language, { month: "short", day: "numeric" });
    this.moment = new Intl.DateTimeFormat(config.language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    this.readTheme();
    this.plot = new uPlot(this.options(), [[0, 1], ...config.series.flatMap(() => [[null, null], [null, null], [null, null]])], element);
    this.resizer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0 && height > 0) this.plot.setSize({ width, height });
    });
    this.resizer.observe(element);
  }

  // bytes: Uint8Array of little-endian floats, column by column; NaN is a gap
  set(from, step, bytes, marks, top) {
    const cells = new Float32Array(bytes.slice().buffer);
    const columns = this.config.series.length * 3;
    const count = cells.length / columns;
    const times = Array.from({ length: count }, (_, i) => from + i * step + step / 2);
    const data = [times];
    for (let c = 0; c < columns; c++) data.push(Array.from(cells.subarray(c * count, (c + 1) * count), v => Number.isNaN(v) ? null : v));
    this.from = from;
    this.to = from + count * step;
    this.step = step;
    this.marks = marks;
    this.top = top;
    this.plot.setData(data);
    this.element.dataset.points = count;
    this.element.dataset.gaps = data[2].filter(v => v === null).length;
    this.element.dataset.marks = marks.length;
  }

  setTheme() {
    this.readTheme();
    this.plot.redraw(false, true);
  }

  destroy() {
    charts.delete(this);
    this.resizer.disconnect();
    this.plot.destroy();
  }

  readTheme() {
    const css = getComputedStyle(this.element);
    const root = getComputedStyle(document.documentElement);
    const read = (name, from = css) => from.getPropertyValue(name).trim();
    this.colors = { own: read("--p") || read("--accent"), text: read("--text-3"), grid: read("--grid"), bad: read("--bad", root), mark: read("--text-2", root), paths: [1, 2, 3, 4, 5, 6, 7, 8].map(n => read(`--path-${n}`, root)) };
    this.font = `11px ${css.fontFamily}`;
  }

  color(series) {
    return series.pathNumber > 0 ? this.colors.paths[(series.pathNumber - 1) % 8] : this.colors.own;
  }

  options() {
    const axis = { stroke: () => this.colors.text, font: this.font, ticks: { show: false }, border: { show: false } };
    return {
      width: Math.max(this.element.clientWidth, 40),
      height: Math.max(this.element.clientHeight, 24),
      padding: [7, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 6 }, points: { show: false }, bind: { dblclick: () => null } },
      scales: { x: { time: true, range: () => [this.from ?? 0, this.to ?? 1] }, y: { range: () => [0, this.top] } },
      axes: [
        { ...axis, size: 30, gap: 12, space: 76, grid: { show: false }, values: (u, splits) => splits.map(s => this.label(s)) },
        {
          ...axis, gap: 6,
          size: (u, values) => Math.max(26, ...(values ?? []).map(v => v.length * 6.5 + 10)),
          splits: () => [0, 0.25, 0.5, 0.75, 1].map(f => f * this.top),
          values: (u, splits) => splits.map(v => this.number.format(v)),
          grid: { stroke: () => this.colors.grid, width: 1 },
        },
      ],
      series: [{}, ...this.config.series.flatMap(s => [
        { width: 0, stroke: "transparent", points: { show: false } },
        { label: s.name, stroke: () => this.color(s), width: 1.5, dash: s.line === "Dashed" ? [4, 3] : undefined, points: { show: this.lonely.bind(this), size: 3, width: 0, fill: () => this.color(s) }, spanGaps: false },
        { width: 0, stroke: "transparent", points: { show: false } },
      ])],
      bands: this.config.series.map((s, i) => ({ series: [i * 3 + 3, i * 3 + 1], fill: () => alpha(this.color(s), s.line === "Dashed" ? 0.12 : 0.24) })),
      hooks: { draw: [u => this.drawMarks(u)], setCursor: [u => this.showTip(u)], setSelect: [u => this.brushed(u)] },
    };
  }

  // A bucket between two gaps has no line: it shows as a dot.
  lonely(u, series) {
    const values = u.data[series];
    const dots = [];
    for (let i = 0; i < values.length; i++) if (values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) dots.push(i);
    return dots.length > 0 && dots.length <= 200 && dots.length === values.filter(v => v !== null).length;
  }

  label(second) {
    const at = second * 1000;
    const span = this.to - this.from;
    if (span <= 600) return this.clock.format(at);
    if (span <= 2 * 86400) return this.minute.format(at);
    return this.day.format(at);
  }

  drawMarks(u) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const y = bbox.top + bbox.height;
    ctx.save();
    for (const mark of this.marks) {
      const x = u.valToPos(mark.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.fillStyle = ctx.strokeStyle = mark.bad ? this.colors.bad : this.colors.mark;
      ctx.lineWidth = ratio;
      ctx.globalAlpha = 0.35;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, y);
      ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.beginPath();
      ctx.moveTo(x, y + 2 * ratio);
      ctx.lineTo(x - 4 * ratio, y + 9 * ratio);
      ctx.lineTo(x + 4 * ratio, y + 9 * ratio);
      ctx.fill();
    }
    ctx.restore();
  }

  brushed(u) {
    const { left, width } = u.select;
    if (width < 6) return;
    const [from, to] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    // A lost connection is the reconnect dialog's business.
    this.owner.invokeMethodAsync("OnBrushed", from, to).catch(() => {});
  }

  showTip(u) {
    const { idx, left } = u.cursor;
    if (!this.tip) {
      this.tip = document.createElement("div");
      this.tip.className = "chart-tip";
      u.over.append(this.tip);
    }
    this.tip.hidden = idx === null || idx === undefined || left < 0;
    if (this.tip.hidden) return;
    const show = v => v === null || v === undefined ? "–" : this.number.format(v);
    const lines = this.config.series.map((s, i) => {
      const [min, mean, max] = [1, 2, 3].map(c => u.data[i * 3 + c][idx]);
      return mean === null || mean === undefined ? `${s.name} –` : `${s.name} ${show(mean)} (${show(min)} – ${show(max)})`;
    });
    const near = this.marks.filter(m => Math.abs(u.valToPos(m.at, "x") - left) < 7).slice(0, 4).map(m => `${this.clock.format(m.at * 1000)} ${m.text}`);
    const unit = this.config.unit ? ` ${this.config.unit}` : "";
    this.tip.textContent = [this.moment.format((u.data[0][idx] - this.step / 2) * 1000), ...lines.map(l => l + unit), ...near].join("\n");
    this.tip.style.left = left > u.over.clientWidth / 2 ? "" : `${left + 10}px`;
    this.tip.style.right = left > u.over.clientWidth / 2 ? `${u.over.clientWidth - left + 10}px` : "";
  }
}

function alpha(color, value) {
  return /^#[0-9a-f]{6}$/i.test(color) ? color + Math.round(value * 255).toString(16).padStart(2, "0") : color;
}
