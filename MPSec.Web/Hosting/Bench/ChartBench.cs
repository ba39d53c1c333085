using System.Globalization;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>What <see cref="ChartBench"/> found; milliseconds are medians over the rounds.</summary>
/// <param name="Points">Points of each series.</param>
/// <param name="Series">Series.</param>
/// <param name="OwnMs">One update of a live chart.</param>
/// <param name="PlainMs">One update of plain uPlot with the same data at the same size.</param>
/// <param name="Ratios">Own by plain of each round.</param>
/// <param name="Loads">Load average of the machine at the begin of each round.</param>
public sealed record ChartReport(int Points, int Series, double OwnMs, double PlainMs, IReadOnlyList<double> Ratios, IReadOnlyList<double> Loads)
{
    /// <summary>Median of <see cref="Ratios"/>.</summary>
    public double Ratio => Ratios.Order().ElementAt(Ratios.Count / 2);

    /// <summary>The bar.</summary>
    public bool Passed => Ratio <= ChartBench.RatioBar;
}

/// <summary>Measures one update of a live chart against plain uPlot: in turns on one page of a headless Chromium, picture included.</summary>
public sealed class ChartBench(ICommandRunner runner)
{
    /// <summary>Cost of an update as a multiple of that of plain uPlot.</summary>
    public const double RatioBar = 1.5;

    private const int Points = 3600;
    private const int Series = 3;
    private const int Updates = 60;

    // Both charts get a row more and lose one; reading a pixel back waits until the picture is drawn.
    private static readonly string s_script = """
        (async () => {
          const [{ create }, { default: uPlot }] = await Promise.all([import("/js/liveChart.js"), import("/lib/uPlot.esm.js")]);
          const points = POINTS, count = SERIES, size = { width: 900, height: 240 };
          const place = () => { const e = document.createElement("div"); Object.assign(e.style, { width: size.width + "px", height: size.height + "px" }); document.body.prepend(e); return e; };
          const value = (i, s) => 50 + 20 * s * Math.sin(i / (40 + 15 * s)) + (i * 7919 % 13);
          const row = i => { const cells = new Float64Array(count + 1); cells[0] = i; for (let s = 0; s < count; s++) cells[s + 1] = value(i, s); return cells; };
          const series = Array.from({ length: count }, (_, s) => ({ name: "series " + s, line: "Solid", pathNumber: s + 1 }));
          const own = create(place(), { invokeMethodAsync: async () => {} }, { series, unit: "Mbit/s", window: points, max: 120, stacked: false, spark: false, language: "en", ago: "", now: "" });
          const all = new Float64Array(points * (count + 1));
          for (let i = 0; i < points; i++) all.set(row(i), i * (count + 1));
          own.setAll(new Uint8Array(all.buffer));
          const data = [[], ...series.map(() => [])];
          for (let i = 0; i < points; i++) row(i).forEach((v, c) => data[c].push(v));
          const plain = new uPlot({ ...size, series: [{}, ...series.map((_, s) => ({ stroke: ["#135390", "#b45309", "#1f8a5b"][s % 3], width: 1.75 }))], scales: { x: { time: true }, y: { range: [0, 120] } }, legend: { show: false } }, data, place());
          const drawn = async plot => { await new Promise(r => queueMicrotask(r)); plot.ctx.getImageData(0, 0, 1, 1); };
          let next = points;
          window.mpsecRound = async updates => {
            const spent = { own: 0, plain: 0 };
            for (let u = 0; u < updates; u++, next++) {
              const cells = row(next), bytes = new Uint8Array(cells.buffer);
              let from = performance.now();
              own.append(bytes);
              await drawn(own.plot);
              spent.own += performance.now() - from;
              from = performance.now();
              cells.forEach((v, c) => { data[c].push(v); data[c].shift(); });
              plain.setData(data);
              await drawn(plain);
              spent.plain += performance.now() - from;
              if (u % 10 == 9) await new Promise(r => requestAnimationFrame(r));
            }
            if (own.times.length < points || own.times.at(-1) !== data[0].at(-1)) throw new Error("the two charts do not show the same");
            return spent;
          };
          await window.mpsecRound(20);
          return true;
        })()
        """.Replace("POINTS", Points.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal).Replace("SERIES", Series.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>Runs the bench.</summary>
    /// <exception cref="ProgramMissingException">No Chromium is installed.</exception>
    /// <exception cref="IOException">The server or the browser could not be started.</exception>
    public async Task<ChartReport> RunAsync(int rounds, Action<string> progress, CancellationToken cancellationToken)
    {
        await using var browser = await BenchBrowser.StartAsync(runner, cancellationToken) ?? throw new ProgramMissingException("chromium");
        await using var server = await BenchServer.StartAsync(runner, 1000, cancellationToken);
        await browser.GoAsync(new(server.Address, "/settings"), server.CookieList, "true", cancellationToken);
        await browser.AskAsync(s_script, cancellationToken);
        var (own, plain, loads) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 1; round <= rounds; round++)
        {
            loads.Add(double.Parse((await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ')[0], CultureInfo.InvariantCulture));
            var spent = await browser.AskAsync($"mpsecRound({Updates})", cancellationToken) ?? throw new IOException("the page measured nothing");
            own.Add(spent["own"]!.GetValue<double>() / Updates);
            plain.Add(spent["plain"]!.GetValue<double>() / Updates);
            progress(string.Create(CultureInfo.InvariantCulture, $"round {round}: load {loads[^1]:0.0}, {own[^1]:0.00} ms against {plain[^1]:0.00} ms, ratio {own[^1] / plain[^1]:0.00}"));
        }

        return new(Points, Series, Median(own), Median(plain), [.. own.Zip(plain, (a, b) => a / b)], loads);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
