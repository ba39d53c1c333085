using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Data.History;
using MPSec.Hosting.Auth;
using MPSec.Live;
using MPSec.Tests.Data.History;
using MPSec.Tests.Hosting.Auth;

namespace MPSec.Tests.Hosting;

public sealed class HistoryApiTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task History_OfAGateway_IsReadAsJsonAndCsvAndFaultsNameTheField()
    {
        await using var app = await RunningApp.StartAsync();
        var store = app.Program.Services.GetRequiredService<HistoryStore>();
        for (var s = 0; s < 10; s++)
        {
            var set = new SeriesSet();
            set.Add("interface/p1/tx", s < 5 ? 8000 : null);
            set.Add("interface/p1/rx", 0);
            store.Record("gw", HistoryScope.Start.AddSeconds(s), set);
        }

        store.Record(new HistoryEvent { Scope = "gw", At = HistoryScope.Start, Kind = HistoryEventKind.SubflowClosed, Token = 0xabc, Interface = "p1", Error = 110, ResetReason = 4 });
        await store.FlushAsync(Token);
        using var nobody = app.Client();
        Assert.NotEqual(HttpStatusCode.OK, (await nobody.GetAsync("/api/v1/gateways/gw/history?series=x", Token)).StatusCode);
        await app.AddUserAsync("vera", UserRole.Viewer);
        using var http = app.Client();
        await app.SignInAsync(http, "vera");
        var from = HistoryScope.Start.ToUnixTimeSeconds();
        var root = "/api/v1/gateways/gw/history";
        var reply = await http.GetFromJsonAsync<JsonElement>($"{root}?series=interface/p1/tx&from={from}&to={from + 10}&buckets=10", Token);
        var series = reply.GetProperty("series")[0];
        Assert.Equal(("bit/s", 5, 8000.0), (series.GetProperty("unit").GetString(), series.GetProperty("points").GetArrayLength(), series.GetProperty("points")[4].GetProperty("max").GetDouble()));
        var csv = await http.GetAsync($"{root}?series=interface/p1/tx&from={from}&to={from + 10}&buckets=10&format=csv", Token);
        Assert.Equal("text/csv", csv.Content.Headers.ContentType?.MediaType);
        var lines = (await csv.Content.ReadAsStringAsync(Token)).Split('\n');
        Assert.Equal("series,unit,time,min,mean,max,count", lines[0]);
        Assert.EndsWith("Z,8000,8000,8000,1", lines[1], StringComparison.Ordinal);
        Assert.EndsWith("Z,,,,", lines[7], StringComparison.Ordinal);
        Assert.Equal(2, (await http.GetFromJsonAsync<JsonElement>(root + "/series", Token)).GetArrayLength());
        var happened = (await http.GetFromJsonAsync<JsonElement>("/api/v1/gateways/gw/events?kind=subflow-closed&token=abc&path=p1&text=p1", Token))[0];
        Assert.Equal(("00000abc", 110, 4), (happened.GetProperty("token").GetString(), happened.GetProperty("error").GetInt32(), happened.GetProperty("resetReason").GetInt32()));
        Assert.Equal("Writing", (await http.GetFromJsonAsync<JsonElement>("/api/v1/history", Token)).GetProperty("state").GetString(), ignoreCase: true);
        Assert.Equal(30, (await http.GetFromJsonAsync<JsonElement>("/api/v1/history/settings", Token)).GetProperty("minutesForDays").GetInt32());
        Assert.Equal(HttpStatusCode.Forbidden, (await http.PutAsJsonAsync("/api/v1/history/settings", new { minutesForDays = 10 }, Token)).StatusCode);
        await app.AddUserAsync("adam", UserRole.Administrator);
        using var admin = app.Client();
        await app.SignInAsync(admin, "adam");
        Assert.Equal(HttpStatusCode.BadRequest, (await admin.PutAsJsonAsync("/api/v1/history/settings", new { mostMiB = 1 }, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await admin.PutAsJsonAsync("/api/v1/history/settings", new { minutesForDays = 10 }, Token)).StatusCode);
        Assert.Equal((10, 48), (store.Settings.MinutesForDays, store.Settings.TenSecondsForHours));
        foreach (var (query, status, field) in new[]
        {
            (root, 400, "series"), (root + "?series=nope", 404, "series"), (root + "?series=interface/p1/tx&from=yesterday", 400, "from"), (root + "?series=interface/p1/tx&buckets=0", 400, "buckets"),
            (root + $"?series=interface/p1/tx&from={from}&to={from}", 400, "from"), ("/api/v1/gateways/gw/events?kind=bang", 400, "kind"), ("/api/v1/gateways/gw/events?token=xyz", 400, "token"), ("/api/v1/gateways/gw/events?limit=0", 400, "limit"),
        })
        {
            var bad = await http.GetAsync(query, Token);
            Assert.Equal(status, (int)bad.StatusCode);
            Assert.StartsWith(field + ":", (await bad.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal("Healthy", await http.GetStringAsync("/healthz/ready", Token));
    }
}
