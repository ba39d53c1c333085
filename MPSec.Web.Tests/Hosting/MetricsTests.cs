using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Features.Settings;
using MPSec.Hosting.Api;
using MPSec.Tests.Data;
using MPSec.Tests.Hosting.Auth;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Hosting;

public sealed partial class MetricsTests
{
    private static readonly ChangeActor s_admin = new("adam", ChangeRole.Administrator);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("MPCapableSYNRX", "mp_capable_synrx")]
    [InlineData("MPJoinSynAckHMacFailure", "mp_join_syn_ack_hmac_failure")]
    [InlineData("DSSNotMatching", "dss_not_matching")]
    [InlineData("MD5SigFallback", "md5_sig_fallback")]
    [InlineData("OFOQueue", "ofo_queue")]
    [InlineData("Blackhole", "blackhole")]
    public void SnakeCase_OfTheKernelsNames_IsReadable(string kernel, string expected) => Assert.Equal(expected, MetricsText.SnakeCase(kernel));

    [Fact]
    public void Text_HostileLabelsAndRepeatedSamples_StaysWellFormed()
    {
        var text = new MetricsText();
        text.Gauge("a", "Help with \\ and\nbreak", 1, ("interface", "x\"y\\z\nq"));
        text.Gauge("a", "Help", 2, ("interface", "x\"y\\z\nq"));
        text.Gauge("b", "Not known", null);
        text.Gauge("c", "Not finite", double.NaN);
        Assert.Equal("# HELP a Help with \\\\ and\\nbreak\n# TYPE a gauge\na{interface=\"x\\\"y\\\\z\\nq\"} 1\n", text.ToString());
    }

    [Fact]
    public async Task Metrics_WithoutToken_AreOffUnlessTheOptionOpensThemToThisMachine()
    {
        await using var closed = await RunningApp.StartAsync();
        using var nobody = ApiTokenTests.Client(closed);
        Assert.Equal(HttpStatusCode.Unauthorized, (await nobody.GetAsync("/metrics", Token)).StatusCode);

        await using var open = await RunningApp.StartAsync(change: o => o.MetricsForLoopback = true);
        using var local = ApiTokenTests.Client(open);
        Assert.Equal(HttpStatusCode.OK, (await local.GetAsync("/metrics", Token)).StatusCode);
        local.DefaultRequestHeaders.Host = "evil.example";
        Assert.Equal(HttpStatusCode.Unauthorized, (await local.GetAsync("/metrics", Token)).StatusCode);
        local.DefaultRequestHeaders.Host = null;
        local.DefaultRequestHeaders.Add("X-Forwarded-For", "192.0.2.7");
        Assert.Equal(HttpStatusCode.Unauthorized, (await local.GetAsync("/metrics", Token)).StatusCode);
    }

    [Fact]
    public async Task Metrics_OfALab_AreTheKernelsAndPassPromtool()
    {
        using var scope = new NamespaceScope();
        await using var app = await RunningApp.StartAsync();
        var services = app.Program.Services;
        var secret = (await services.GetRequiredService<ApiTokenService>().CreateAsync("prometheus", ChangeRole.Viewer, 1, s_admin, Token)).Secret;
        using var client = ApiTokenTests.Client(app, secret);
        var spec = LabSpec.Default with { Name = "mpm" + Guid.NewGuid().ToString("N")[..6] };
        var labs = services.GetRequiredService<LabService>();
        await labs.UpAsync(spec, ChangeActor.System, Token);
        try
        {
            var gateway = $"gateway=\"{spec.A}\"";
            var text = await UntilAsync(client, t => t.Contains($"mpsec_path_transmit_bytes_per_second{{{gateway}", StringComparison.Ordinal) && Regex.Count(t, "^mpsec_machine_processor_busy_ratio{", RegexOptions.Multiline) == Environment.ProcessorCount && Up(t) == 4);
            int Up(string metrics) => metrics.Split('\n').Count(l => l.StartsWith($"mpsec_path_state{{{gateway}", StringComparison.Ordinal) && l.Contains("state=\"up\"", StringComparison.Ordinal));

            // Each counter of MPTcpExt is there once, with the kernel's value (this gateway's MPTCP is idle).
            var netstat = NamespaceScope.In(spec.A, "cat", "/proc/net/netstat").Split('\n').Where(l => l.StartsWith("MPTcpExt: ", StringComparison.Ordinal)).Select(l => l.Split(' ')[1..]).ToArray();
            for (var i = 0; i < netstat[0].Length; i++)
            {
                var name = netstat[0][i] == "MPCurrEstab" ? "mpsec_mptcp_curr_estab" : $"mpsec_mptcp_{MetricsText.SnakeCase(netstat[0][i])}_total";
                Assert.Contains($"\n{name}{{{gateway}}} {netstat[1][i]}\n", text, StringComparison.Ordinal);
            }

            // Labels are bounded: nothing but these, and no address, port or token among the values.
            var labels = Label().Matches(text).Select(m => m.Groups[1].Value).Distinct().Order();
            Assert.Equal(["gateway", "interface", "kernel", "mountpoint", "path", "processor", "protocol", "rule", "state", "version"], labels);
            foreach (var family in Family().Matches(text).Select(m => m.Groups[1].Value).Distinct())
            {
                Assert.Equal(1, Regex.Count(text, $"^# HELP {family} .", RegexOptions.Multiline));
                Assert.Equal(1, Regex.Count(text, $"^# TYPE {family} (counter|gauge)$", RegexOptions.Multiline));
            }

            var load = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);
            Assert.InRange(double.Parse(Regex.Match(text, "^mpsec_machine_load1 (.+)$", RegexOptions.Multiline).Groups[1].Value, CultureInfo.InvariantCulture), load - 5, load + 5);
            Assert.Equal(Environment.ProcessorCount, Regex.Count(text, "^mpsec_machine_processor_busy_ratio{", RegexOptions.Multiline));
            Assert.Contains("\nmpsec_alerts{rule=\"path_join_failure\"} 0\n", text, StringComparison.Ordinal);

            // A name that is no gateway makes no label, however often it is asked for.
            await client.GetAsync("/api/v1/gateways/made-up-name/connections", Token);
            Assert.DoesNotContain("made-up-name", await client.GetStringAsync("/metrics", Token), StringComparison.Ordinal);

            AssertDashboard(text);
            Assert.SkipWhen(!File.Exists("/usr/bin/promtool"), "promtool is not installed (Debian package prometheus); everything else of this test passed");
            using var promtool = Process.Start(new ProcessStartInfo("/usr/bin/promtool", ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
            await promtool.StandardInput.WriteAsync(text);
            promtool.StandardInput.Close();
            var said = await promtool.StandardOutput.ReadToEndAsync(Token) + await promtool.StandardError.ReadToEndAsync(Token);
            await promtool.WaitForExitAsync(Token);
            Assert.True(promtool.ExitCode == 0 && said.Trim().Length == 0, said);
        }
        finally
        {
            await labs.DownAsync(spec.Name, ChangeActor.System, CancellationToken.None);
        }
    }

    [Fact]
    public async Task Metrics_ScrapedByPrometheus_AreStored()
    {
        LongProofs.SkipUsually();
        Assert.SkipWhen(!File.Exists("/usr/bin/prometheus"), "prometheus is not installed (Debian package prometheus)");
        await using var app = await RunningApp.StartAsync();
        using var state = new TempState();
        var secret = (await app.Program.Services.GetRequiredService<ApiTokenService>().CreateAsync("prometheus", ChangeRole.Viewer, 1, s_admin, Token)).Secret;
        Directory.CreateDirectory(state.Root);
        await File.WriteAllTextAsync(Path.Combine(state.Root, "token"), secret, Token);
        await File.WriteAllTextAsync(Path.Combine(state.Root, "prometheus.yml"), $"""
            scrape_configs:
              - job_name: mpsec
                scrape_interval: 1s
                authorization:
                  credentials_file: {state.Root}/token
                static_configs:
                  - targets: ['{app.Address.Authority}']
            """, Token);
        using var free = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        var listen = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        using var prometheus = Process.Start(new ProcessStartInfo(
            "/usr/bin/prometheus",
            [$"--config.file={state.Root}/prometheus.yml", $"--storage.tsdb.path={state.Root}/data", $"--web.listen-address={listen}"]) { RedirectStandardError = true })!;
        prometheus.ErrorDataReceived += (_, _) => { };
        prometheus.BeginErrorReadLine();
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri("http://" + listen) };
            for (var i = 0; i < 120; i++)
            {
                await Task.Delay(500, Token);
                try
                {
                    using var answer = JsonDocument.Parse(await client.GetStringAsync("/api/v1/query?query=mpsec_gateway_up", Token));
                    if (answer.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.Object } found)
                    {
                        Assert.Equal("host", found.GetProperty("metric").GetProperty("gateway").GetString());
                        Assert.Equal("1", found.GetProperty("value")[1].GetString());
                        return;
                    }
                }
                catch (HttpRequestException)
                {
                    // It is still starting.
                }
            }

            Assert.Fail("Prometheus stored nothing within a minute");
        }
        finally
        {
            prometheus.Kill();
            await prometheus.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task Health_IsOpenToAnybodyAndTellsOneWord()
    {
        await using var app = await RunningApp.StartAsync();
        using var nobody = ApiTokenTests.Client(app);
        Assert.Equal("Healthy", await nobody.GetStringAsync("/healthz/live", Token));
        await UntilAsync(nobody, t => t == "Healthy", "/healthz/ready");

        // Without its database the program lives and is not ready, and does not tell why.
        await using var context = await app.Program.Services.GetRequiredService<Microsoft.EntityFrameworkCore.IDbContextFactory<MPSec.Data.MPSecDbContext>>().CreateDbContextAsync(Token);
        await Microsoft.EntityFrameworkCore.RelationalDatabaseFacadeExtensions.ExecuteSqlRawAsync(context.Database, "ALTER TABLE \"AspNetRoles\" RENAME TO \"Gone\"", Token);
        using var answer = await nobody.GetAsync("/healthz/ready", Token);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "Unhealthy"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token)));
        Assert.Equal(HttpStatusCode.OK, (await nobody.GetAsync("/healthz/live", Token)).StatusCode);
    }

    /// <summary>Every name that a query of the dashboard uses is a metric of this text.</summary>
    private static void AssertDashboard(string text)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "MPSec.sln")))
        {
            folder = folder.Parent;
        }

        using var dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.FullName, "docs", "grafana-mpsec.json")));
        var known = Family().Matches(text).Select(m => m.Groups[1].Value).ToHashSet();
        // Not there while nothing was sent, no subflow stands or no shaper is set.
        known.UnionWith(["mpsec_path_rtt_seconds", "mpsec_path_retransmitted_ratio"]);
        var queries = 0;
        foreach (var panel in dashboard.RootElement.GetProperty("panels").EnumerateArray().Where(p => p.TryGetProperty("targets", out _)))
        {
            foreach (var target in panel.GetProperty("targets").EnumerateArray())
            {
                queries++;
                var names = Regex.Matches(target.GetProperty("expr").GetString()!, @"\b(?:mpsec|process)_\w+").Select(m => m.Value).ToArray();
                Assert.NotEmpty(names);
                Assert.All(names, n => Assert.Contains(n, known));
            }
        }

        Assert.True(queries >= 10);
    }

    private static async Task<string> UntilAsync(HttpClient client, Func<string, bool> isThere, string path = "/metrics")
    {
        var text = "";
        for (var i = 0; i < 300; i++)
        {
            using var answer = await client.GetAsync(path, Token);
            text = await answer.Content.ReadAsStringAsync(Token);
            if (isThere(text))
            {
                return text;
            }

            await Task.Delay(100, Token);
        }

        throw new InvalidOperationException("did not come: " + text);
    }

    [GeneratedRegex("[{,]([a-z_]+)=\"")]
    private static partial Regex Label();

    [GeneratedRegex(@"^([a-z]\w*)(?:\{| )", RegexOptions.Multiline)]
    private static partial Regex Family();
}
