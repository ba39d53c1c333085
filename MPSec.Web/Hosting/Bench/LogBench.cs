using System.Globalization;
using System.Security.Claims;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using MPSec.Features.Kernel;
using MPSec.Hosting.Auth;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>How a page took a log in: pictures a second, and milliseconds.</summary>
/// <param name="FramesPerSecond">Pictures that the browser drew in a second.</param>
/// <param name="LongestMs">Longest time between two of them.</param>
/// <param name="BusyPercent">Share of the time that its only thread was busy for more than 50 ms at once (Long Tasks API of the W3C).</param>
/// <param name="BehindMs">How old the newest line in sight was, 95th percentile; null where nothing tells.</param>
public sealed record LogFrames(double FramesPerSecond, double LongestMs, double BusyPercent, double? BehindMs);

/// <summary>What <see cref="LogBench"/> found.</summary>
/// <param name="LinesPerSecond">Lines that were written a second while it was measured.</param>
/// <param name="Lines">Lines of the log at the end.</param>
/// <param name="Still">The page of a log that does not grow.</param>
/// <param name="Own">The page of the log, followed.</param>
/// <param name="Plain">The same number of lines appended to plain text in the same browser.</param>
/// <param name="JumpMs">Time from a jump to any place of the log until its lines are in sight, median.</param>
/// <param name="SearchMs">Time to search all of it, as seen on the page.</param>
public sealed record LogReport(int LinesPerSecond, int Lines, LogFrames Still, LogFrames Own, LogFrames Plain, double JumpMs, double SearchMs)
{
    /// <summary>The bar: nearly as many pictures as when nothing happens, never a long stop, the newest line soon in sight.</summary>
    public bool Passed => LinesPerSecond >= LogBench.Rate * 0.95 && Own.FramesPerSecond >= Still.FramesPerSecond * LogBench.FramesBar && Own.LongestMs <= LogBench.LongestBarMs && Own.BehindMs <= LogBench.BehindBarMs
        && JumpMs <= LogBench.JumpBarMs;
}

/// <summary>Measures the page of a job in a headless Chromium: a log of 100,000 lines that grows by 2,000 lines a second and is followed, then jumps and a search in it.</summary>
public sealed class LogBench(ICommandRunner runner, TimeProvider time)
{
    /// <summary>Lines a second.</summary>
    public const int Rate = 2000;

    /// <summary>Pictures a second, as a share of those of a page that stands still.</summary>
    public const double FramesBar = 0.8;

    /// <summary>Longest time between two pictures.</summary>
    public const double LongestBarMs = 250;

    /// <summary>Age of the newest line in sight, 95th percentile.</summary>
    public const double BehindBarMs = 1000;

    /// <summary>From a jump to its lines.</summary>
    public const double JumpBarMs = 250;

    private const int Before = 100_000;
    private const int Jumps = 20;

    private const string Script = """
        window.mpsecFrames = async (seconds, plain, rate) => {
          const times = [], ages = [];
          let busy = 0, line = 0, box = null;
          const watch = new PerformanceObserver(list => { for (const task of list.getEntries()) busy += task.duration; });
          watch.observe({ entryTypes: ["longtask"] });
          if (plain) { box = document.createElement("pre"); Object.assign(box.style, { height: "560px", overflow: "auto" }); document.body.prepend(box); }
          const begin = performance.now();
          await new Promise(done => {
            const frame = now => {
              times.push(performance.now());
              if (plain) {
                const due = Math.floor((performance.now() - begin) / 1000 * rate), text = [];
                for (; line < due; line++) text.push(`12:00:00 line ${line} of what a compiler says: CC net/mptcp/protocol.o\n`);
                if (text.length) { box.append(text.join("")); box.scrollTop = box.scrollHeight; }
              } else {
                const shown = [...document.querySelectorAll(".lines .ln .tx")].at(-1)?.textContent.match(/at (\d+) /);
                if (shown) ages.push(Date.now() - Number(shown[1]));
              }
              if (performance.now() - begin < seconds * 1000) requestAnimationFrame(frame); else done();
            };
            requestAnimationFrame(frame);
          });
          watch.disconnect();
          box?.remove();
          const gaps = times.slice(1).map((t, i) => t - times[i]), took = performance.now() - begin;
          ages.sort((a, b) => a - b);
          return { frames: times.length / took * 1000, longest: Math.max(...gaps), busy: busy / took * 100, behind: ages.length ? ages[Math.floor(ages.length * 0.95)] : -1 };
        };
        window.mpsecJump = async (line, height) => {
          const box = document.querySelector(".lines"), begin = performance.now();
          box.scrollTop = line * height;
          const wanted = (line + 10).toLocaleString("en-US");
          while (![...box.querySelectorAll(".ln .no")].some(e => e.textContent.replace(/\D/g, "") === wanted.replace(/\D/g, ""))) {
            if (performance.now() - begin > 20000) throw new Error("line " + wanted + " did not come into sight");
            await new Promise(r => requestAnimationFrame(r));
          }
          return performance.now() - begin;
        };
        window.mpsecSearch = async text => {
          const input = document.querySelector(".find input"), begin = performance.now();
          input.value = text;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          while (document.querySelectorAll(".lines .ln .tx").length !== 1) {
            if (performance.now() - begin > 20000) throw new Error("the search found nothing");
            await new Promise(r => requestAnimationFrame(r));
          }
          return performance.now() - begin;
        };
        true
        """;

    /// <summary>Runs it.</summary>
    /// <param name="seconds">Length of each measurement.</param>
    /// <param name="progress">One sentence per step.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ProgramMissingException">No Chromium is installed.</exception>
    /// <exception cref="IOException">The server or the browser could not be started.</exception>
    public async Task<LogReport> RunAsync(int seconds, Action<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(progress);
        var root = Directory.CreateTempSubdirectory("mpsec-bench-log-").FullName;
        try
        {
            await using var browser = await BenchBrowser.StartAsync(runner, cancellationToken) ?? throw new ProgramMissingException("chromium");
            var source = new LogSource(time);
            var app = MPSecApp.Build(
                new MPSecOptions { State = Path.Combine(root, "state"), Urls = "http://127.0.0.1:0" },
                b => b.Services.AddSingleton<IJobKind>(source).AddLogging(l => l.AddFilter(_ => false)));
            await using (app)
            {
                // The link of the first administrator is for a terminal, and not for the output of a bench.
                var output = Console.Out;
                Console.SetOut(TextWriter.Null);
                try
                {
                    await app.StartAsync(cancellationToken);
                }
                finally
                {
                    Console.SetOut(output);
                }

                var report = await MeasureAsync(app, browser, source, seconds, progress, cancellationToken);
                await app.StopAsync(CancellationToken.None);
                return report;
            }
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private async Task<LogReport> MeasureAsync(WebApplication app, BenchBrowser browser, LogSource source, int seconds, Action<string> progress, CancellationToken cancellationToken)
    {
        var address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        var link = (await File.ReadAllTextAsync(app.Services.GetRequiredService<FirstAdministrator>().LinkFile, cancellationToken)).Trim();
        using var session = await BenchSession.SignInAsync(address, link, cancellationToken);
        var engine = app.Services.GetRequiredService<JobEngine>();
        var run = await engine.StartAsync(source.Key, new NoJobParameters(), new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.Role, UserRole.Administrator)], "bench")), cancellationToken);
        progress($"writing {Before} lines");
        await source.Written.WaitAsync(TimeSpan.FromMinutes(2), cancellationToken);
        await browser.GoAsync(new(address, $"/jobs/{run}"), session.CookieList, "document.querySelectorAll('.lines .ln .tx').length > 5", cancellationToken);
        await browser.AskAsync(Script, cancellationToken);
        progress("the page while its log does not grow");
        var still = await FramesAsync(browser, seconds, plain: false, cancellationToken);

        progress($"{Rate} lines a second, followed");
        var (lines, begin) = (source.Lines, time.GetTimestamp());
        source.Flows = true;
        await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        var own = await FramesAsync(browser, seconds, plain: false, cancellationToken);
        var rate = (int)((source.Lines - lines) / time.GetElapsedTime(begin).TotalSeconds);

        progress("jumps to places in it, while it grows");
        await browser.AskAsync("document.querySelector('.logcard [aria-pressed=true]').click(), new Promise(r => setTimeout(r, 500))", cancellationToken);
        var jumps = new List<double>();
        for (var jump = 0; jump < Jumps; jump++)
        {
            var line = 500 + (jump * 7919 * 13 % (Before - 1000));
            jumps.Add((await browser.AskAsync(string.Create(CultureInfo.InvariantCulture, $"mpsecJump({line}, 19)"), cancellationToken))!.GetValue<double>());
        }

        source.Flows = false;
        await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        progress("a search in all of it");
        var search = (await browser.AskAsync($"mpsecSearch('needle {source.Lines - 1} ')", cancellationToken))!.GetValue<double>();
        progress("the same number of lines as plain text");
        await browser.GoAsync(new("about:blank"), [], "true", cancellationToken);
        await browser.AskAsync(Script, cancellationToken);
        var plain = await FramesAsync(browser, seconds, plain: true, cancellationToken);
        source.End();
        return new(rate, source.Lines, still with { BehindMs = null }, own, plain, jumps.Order().ElementAt(Jumps / 2), search);
    }

    private static async Task<LogFrames> FramesAsync(BenchBrowser browser, int seconds, bool plain, CancellationToken cancellationToken)
    {
        var got = await browser.AskAsync(string.Create(CultureInfo.InvariantCulture, $"mpsecFrames({seconds}, {(plain ? "true" : "false")}, {Rate})"), cancellationToken) as JsonObject ?? throw new IOException("the page measured nothing");
        var behind = got["behind"]!.GetValue<double>();
        return new(got["frames"]!.GetValue<double>(), got["longest"]!.GetValue<double>(), got["busy"]!.GetValue<double>(), behind < 0 ? null : behind);
    }

    /// <summary>A job that writes as it is told: each line says when it was written, in milliseconds since 1970.</summary>
    private sealed class LogSource(TimeProvider time) : IJobKind
    {
        private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile bool _ended;
        private volatile bool _flows;
        private volatile int _lines;

        public bool Flows { get => _flows; set => _flows = value; }

        public int Lines => _lines;

        public Task Written => _written.Task;

        public string Key => "bench-log";

        public Type Texts => typeof(KernelTexts);

        public string TitleKey => "BuildTitle";

        public IReadOnlyList<JobStep> Steps => [new("compile", "StepCompile", WriteAsync)];

        public bool Resumable => false;

        public JobLane Lane => JobLane.Long;

        public int MostAtOnce => 1;

        public IReadOnlyList<string> Roles => [UserRole.Administrator];

        public void End() => _ended = true;

        private async Task WriteAsync(JobContext context)
        {
            for (var line = 0; line < Before; line++)
            {
                Write(context);
            }

            _written.TrySetResult();
            var last = time.GetTimestamp();
            var owed = 0.0;
            while (!_ended && !context.CancellationToken.IsCancellationRequested)
            {
                await Task.Delay(20);
                var now = time.GetTimestamp();
                owed = _flows ? owed + (time.GetElapsedTime(last, now).TotalSeconds * Rate) : 0;
                for (last = now; owed >= 1; owed--)
                {
                    Write(context);
                }
            }
        }

        private void Write(JobContext context)
        {
            context.Log(string.Create(CultureInfo.InvariantCulture, $"CC      net/mptcp/needle {_lines} at {time.GetUtcNow().ToUnixTimeMilliseconds()} .o"));
            _lines++;
        }
    }
}
