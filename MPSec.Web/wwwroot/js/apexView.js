// Charts that do not stream, by ApexCharts. The library is loaded with the first of them.
const charts = new Set();
document.addEventListener("mpsec:theme", () => charts.forEach(c => c.repaint()));

export async function create(element, height, settings) {
  const { default: ApexCharts } = await import("../lib/apexcharts.esm.js");
  const chart = new ApexView(ApexCharts, element, height, settings);
  charts.add(chart);
  await chart.ready;
  return chart;
}

class ApexView {
  constructor(ApexCharts, element, height, settings) {
    this.element = element;
    this.height = height;
    this.settings = settings;
    this.apex = new ApexCharts(element, this.resolved());
    this.ready = this.apex.render();
  }

  update(settings) {
    this.settings = settings;
    return this.apex.updateOptions(this.resolved(), false, false);
  }

  repaint() {
    return this.update(this.settings);
  }

  destroy() {
    charts.delete(this);
    this.apex.destroy();
  }

  // Colours are given as CSS variables and looked up for the theme of the moment.
  resolved() {
    const css = getComputedStyle(this.element);
    const look = value => {
      if (typeof value === "string") return value.replace(/var\((--[\w-]+)\)/g, (_, name) => css.getPropertyValue(name).trim());
      if (Array.isArray(value)) return value.map(look);
      return value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, look(v)])) : value;
    };
    const own = look(JSON.parse(this.settings));
    const still = { enabled: false };
    return {
      ...own,
      chart: {
        height: this.height, background: "transparent", fontFamily: css.fontFamily, foreColor: look("var(--text-3)"),
        animations: still, toolbar: { show: false }, zoom: still, nonce: document.querySelector("script[nonce]")?.nonce, ...own.chart,
      },
      grid: { borderColor: look("var(--grid)"), ...own.grid },
      theme: { mode: document.documentElement.dataset.theme, ...own.theme },
    };
  }
}
