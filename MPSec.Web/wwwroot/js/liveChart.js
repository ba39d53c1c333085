// Streaming line charts over uPlot. create() returns the object that the LiveChart component talks to; the ring of points lives here.
import uPlot from "../lib/uPlot.esm.js";

const groups = new Map();
const charts = new Set();
document.addEventListener("mpsec:theme", () => charts.forEach(c => c.setTheme()));

export function create(element, owner, config) {
  charts.forEach(c => c.element === element && c.destroy()); // of a call whose answer a broken connection swallowed
  const chart = new Chart(element, owner, config);
  charts.add(chart);
  return chart;
}

class Chart {
  constructor(element, owner, config) {
    this.element = element;
    this.owner = owner;
    this.config = config;
    this.width = config.series.length + 1;
    this.columns = config.series.map(() => []);
    this.times = [];
    this.peak = 0;
    this.top = config.max ?? 1;
    this.visible = true;
    this.number = new Intl.NumberFormat(config.language, { maximumSignificantDigits: 3 });
    this.clock = new Intl.DateTimeFormat(config.language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    if (config.group) (groups.get(config.group) ?? groups.set(config.group, new Set()).get(config.group)).add(this);
    this.readTheme();
    this.plot = new uPlot(this.options(), this.data(), element);
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(element);
    this.inView = true;
    this.watcher = new IntersectionObserver(entries => {
      this.inView = entries[entries.length - 1].isIntersecting;
      this.tellVisible();
    });
    this.watcher.observe(element);
    this.onVisibility = () => this.tellVisible();
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  // rows: Uint8Array of little-endian doubles, row by row: time, value of each series
  append(rows) {
    this.push(rows);
    this.draw();
  }

  setAll(rows) {
    this.times.length = 0;
    this.columns.forEach(c => c.length = 0);
    this.append(rows);
  }

  setTheme() {
    this.readTheme();
    this.plot.redraw(false, true);
  }

  destroy() {
    charts.delete(this);
    groups.get(this.config.group)?.delete(this);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.watcher.disconnect();
    this.resizer.disconnect();
    this.plot.destroy();
  }

  push(rows) {
    const cells = new Float64Array(rows.slice().buffer);
    for (let i = 0; i + this.width <= cells.length; i += this.width) {
      if (cells[i] <= this.times[this.times.length - 1]) continue; // sent again after a broken connection
      this.times.push(cells[i]);
      for (let s = 0; s < this.columns.length; s++) this.columns[s].push(Number.isNaN(cells[i + 1 + s]) ? null : cells[i + 1 + s]);
    }
    // One point left of the window keeps the line touching the axis.
    const from = this.times[this.times.length - 1] - this.config.window;
    let drop = 0;
    while (drop + 1 < this.times.length && this.times[drop + 1] < from) drop++;
    if (drop > 0) {
      this.times.splice(0, drop);
      this.columns.forEach(c => c.splice(0, drop));
    }
  }

  data() {
    if (!this.config.stacked) return [this.times, ...this.columns];
    const sums = [];
    for (const column of this.columns) {
      const below = sums[sums.length - 1];
      sums.push(column.map((v, i) => v === null ? null : v + (below?.[i] ?? 0)));
    }
    return [this.times, ...sums];
  }

  draw() {
    const data = this.data();
    this.peak = 0;
    for (let s = 1; s < data.length; s++) for (const v of data[s]) if (v > this.peak) this.peak = v;
    const members = this.config.group ? groups.get(this.config.group) : [this];
    const top = this.config.max ?? niceTop(Math.max(...Array.from(members, c => c.peak)));
    for (const member of members) {
      if (member !== this && member.top !== top) {
        member.top = top;
        member.plot.redraw(false, true);
        member.plot.setData(member.plot.data);
      }
    }
    this.top = top;
    this.plot.setData(data);
    this.element.dataset.points = this.times.length;
    this.element.dataset.newest = this.times[this.times.length - 1] ?? "";
  }

  tellVisible() {
    const visible = this.inView && document.visibilityState === "visible";
    if (visible === this.visible) return;
    this.visible = visible;
    // A lost connection is the reconnect dialog's business.
    this.owner.invokeMethodAsync("OnVisibleChanged", visible).catch(() => {});
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width > 0 && height > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  readTheme() {
    const css = getComputedStyle(this.element);
    const root = getComputedStyle(document.documentElement);
    const read = (name, from = css) => from.getPropertyValue(name).trim();
    this.colors = {
      own: read("--p") || read("--accent"),
      sum: read("--text-3"),
      text: read("--text-3"),
      grid: read("--grid"),
      paths: [1, 2, 3, 4, 5, 6, 7, 8].map(n => read(`--path-${n}`, root)),
    };
    this.font = `11px ${css.fontFamily}`;
  }

  color(series) {
    if (series.line === "Thin") return this.colors.sum;
    return series.pathNumber > 0 ? this.colors.paths[(series.pathNumber - 1) % 8] : this.colors.own;
  }

  options() {
    const { config } = this;
    const axis = { stroke: () => this.colors.text, font: this.font, ticks: { show: false }, border: { show: false } };
    const stroke = { Area: 1.75, Solid: 1.75, Dashed: 1.5, Thin: 1 };
    return {
      width: Math.max(this.element.clientWidth, 40),
      height: Math.max(this.element.clientHeight, 24),
      padding: config.spark ? [2, 0, 0, 0] : [7, 8, 0, 0],
      legend: { show: false },
      cursor: config.spark
        ? { show: false }
        : { y: false, drag: { x: false, y: false }, points: { size: 6, width: 0, fill: (u, s) => this.color(config.series[s - 1]) } },
      scales: {
        x: { time: false, range: (u, min, max) => max === null ? [0, config.window] : [max - config.window, max] },
        y: { range: () => [0, this.top] },
      },
      axes: config.spark ? [{ show: false }, { show: false }] : [
        {
          ...axis,
          size: 22, gap: 5,
          splits: u => [u.scales.x.min, (u.scales.x.min + u.scales.x.max) / 2, u.scales.x.max],
          values: () => ["", "", ""],
          grid: { show: false },
        },
        {
          ...axis,
          size: (u, values) => Math.max(26, ...(values ?? []).map(v => v.length * 6.5 + 10)), gap: 6,
          splits: () => [0, 1, 2, 3, 4].map(i => this.top * i / steps(this.top)).filter(v => v <= this.top * 1.0001),
          values: (u, splits) => splits.map(v => this.number.format(v)),
          grid: { stroke: () => this.colors.grid, width: 1 },
        },
      ],
      series: [{}, ...config.series.map((s, i) => ({
        label: s.name,
        stroke: () => this.color(s),
        width: stroke[s.line],
        dash: s.line === "Dashed" ? [4, 3] : undefined,
        fill: config.stacked ? (i === 0 ? () => alpha(this.color(s), 0.42) : undefined) : s.line === "Area" ? () => alpha(this.color(s), 0.14) : undefined,
        points: { show: false },
        spanGaps: false,
      }))],
      bands: config.stacked
        ? config.series.slice(1).map((s, i) => ({ series: [i + 2, i + 1], fill: () => alpha(this.color(s), 0.42) }))
        : undefined,
      hooks: config.spark ? {} : { draw: [u => this.drawTimeAxis(u)], setCursor: [u => this.showTip(u)] },
    };
  }

  // "60 s ago … 30 … now": the two ends sit inside the plot, so nothing is cut off on a narrow screen.
  drawTimeAxis(u) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.fillStyle = this.colors.text;
    ctx.font = `${11 * ratio}px ${getComputedStyle(this.element).fontFamily}`;
    ctx.textBaseline = "top";
    const y = bbox.top + bbox.height + 7 * ratio;
    ctx.textAlign = "left";
    ctx.fillText(this.config.ago, bbox.left, y);
    ctx.textAlign = "center";
    const half = this.config.window >= 180 ? this.config.window / 120 : this.config.window / 2;
    ctx.fillText(this.number.format(half), bbox.left + bbox.width / 2, y);
    ctx.textAlign = "right";
    ctx.fillText(this.config.now, bbox.left + bbox.width, y);
    ctx.restore();
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
    const lines = this.config.series.map((s, i) => {
      const v = this.columns[i][idx];
      return `${s.name} ${v === null || v === undefined ? "–" : this.number.format(v)}`;
    });
    this.tip.textContent = [this.clock.format(this.times[idx] * 1000), ...lines].join("\n") + (this.config.unit ? ` ${this.config.unit}` : "");
    this.tip.style.left = left > u.over.clientWidth / 2 ? "" : `${left + 10}px`;
    this.tip.style.right = left > u.over.clientWidth / 2 ? `${u.over.clientWidth - left + 10}px` : "";
  }
}

// The next of 3, 4, 6, 8, 12, 16, 20 … so that three or four grid lines have round values.
function niceTop(peak) {
  if (!(peak > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(peak));
  for (const m of [1.2, 1.6, 2, 3, 4, 6, 8, 12]) if (peak * 1.02 <= m * power) return m * power;
  return 20 * power;
}

function steps(top) {
  const digits = Math.round(top / 10 ** Math.floor(Math.log10(top) + 1e-9) * 10) / 10;
  return digits === 3 || digits === 6 || digits === 1.2 ? 3 : 4;
}

function alpha(color, value) {
  return /^#[0-9a-f]{6}$/i.test(color) ? color + Math.round(value * 255).toString(16).padStart(2, "0") : color;
}
