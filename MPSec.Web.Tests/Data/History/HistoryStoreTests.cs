using MPSec.Data.History;

namespace MPSec.Tests.Data.History;

public sealed class HistoryStoreTests
{
    private static readonly DateTimeOffset s_start = HistoryScope.Start;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Range_OverPiecesAndJournal_HasMinMeanMaxAndGaps()
    {
        await using var scope = await HistoryScope.StartAsync();
        for (var s = 0; s < 900; s++)
        {
            if (s is < 200 or >= 400)
            {
                scope.Add(s_start.AddSeconds(s), s);
            }
        }

        await scope.Store.FlushAsync(Token);
        var range = scope.Store.Range("g", "x", s_start, s_start.AddSeconds(900), 15)!;
        Assert.Equal((15, 60.0), (range.Buckets.Length, range.BucketSeconds));
        Assert.Equal(new HistoryPoint(s_start.ToUnixTimeSeconds(), 0, 29.5, 59, 60), range.Buckets[0]!.Value with { Mean = Math.Round(range.Buckets[0]!.Value.Mean, 6) });
        Assert.Equal([4, 5], Enumerable.Range(0, 15).Where(i => range.Buckets[i] is null));
        Assert.Equal((840.0, 899.0), (range.Buckets[14]!.Value.Min, range.Buckets[14]!.Value.Max)); // still in the journal
        var fine = scope.Store.Range("g", "x", s_start.AddSeconds(195), s_start.AddSeconds(405), 5000)!;
        Assert.Equal((1, 200), (fine.TierSeconds, fine.Buckets.Count(b => b is null)));
        Assert.Null(scope.Store.Range("g", "y", s_start, s_start.AddSeconds(1), 1));
        Assert.True(scope.Store.Range("g", "x", s_start.AddDays(-9), s_start.AddDays(-8), 100)!.IsEmpty);
    }

    [Fact]
    public async Task Range_EveryTier_AgreesWithWhatWasRecorded()
    {
        await using var scope = await HistoryScope.StartAsync();
        var random = new Random(3);
        var values = Enumerable.Range(0, 4 * 3600 / 5).Select(_ => Math.Round(random.NextDouble() * 10_000)).ToArray();
        for (var i = 0; i < values.Length; i++)
        {
            scope.Add(s_start.AddSeconds(5 * i), values[i]);
        }

        await scope.Store.FlushAsync(Token);
        foreach (var (buckets, tier) in new[] { (4, 900), (100, 60), (1000, 10) })
        {
            var range = scope.Store.Range("g", "x", s_start, s_start.AddHours(4), buckets)!;
            Assert.Equal(tier, range.TierSeconds);
            var per = (int)range.BucketSeconds / 5;
            for (var b = 0; b < range.Buckets.Length; b++)
            {
                var expected = values.Skip(b * per).Take(per).ToArray();
                var bucket = range.Buckets[b]!.Value;
                Assert.Equal((expected.Min(), expected.Max(), (long)expected.Length), (bucket.Min, bucket.Max, bucket.Count));
                Assert.Equal(expected.Average(), bucket.Mean, expected.Average() / 1000);
            }
        }
    }

    [Fact]
    public async Task Range_ReadingsFiveSecondsApart_AreNoGaps()
    {
        await using var scope = await HistoryScope.StartAsync();
        for (var i = 0; i < 60; i++)
        {
            scope.Add(s_start.AddSeconds(5.02 * i), 1);
        }

        await scope.Store.FlushAsync(Token);
        var range = scope.Store.Range("g", "x", s_start, s_start.AddSeconds(295), 295)!;
        Assert.DoesNotContain(null, range.Buckets[..^1]);
        Assert.InRange(range.BucketSeconds, 5, 6);
    }

    [Fact]
    public async Task Retention_OldPeriods_GoTierByTierAndTheClockDoesNotMatter()
    {
        await using var scope = await HistoryScope.StartAsync(settings: new HistorySettings { SecondsForHours = 1, TenSecondsForHours = 2 });
        Hours(s_start, 4);
        var oldest = scope.Store.Range("g", "x", s_start, s_start.AddHours(4), 4)!;
        Assert.Equal(s_start, oldest.Oldest);
        Assert.Equal((long)0, await CountAsync("raw", 0, s_start.AddHours(2)));
        Assert.True(await CountAsync("raw", 0, s_start.AddHours(5)) >= 11);
        Assert.Equal(10, scope.Store.Range("g", "x", s_start.AddHours(3.2), s_start.AddHours(3.5), 100)!.TierSeconds);
        Assert.False(scope.Store.Range("g", "x", s_start, s_start.AddHours(1), 5000)!.IsEmpty); // only coarse points are left of it
        await scope.Store.FlushAsync(Token);

        // A year forward and back again: nothing is thrown away for it.
        scope.Add(s_start.AddYears(1), 5);
        scope.Add(s_start.AddYears(1).AddHours(1), 5);
        Hours(s_start.AddHours(4), 0.1);
        await scope.Store.FlushAsync(Token);
        Assert.False(scope.Store.Range("g", "x", s_start.AddHours(3.2), s_start.AddHours(3.9), 100)!.IsEmpty);
        Assert.False(scope.Store.Range("g", "x", s_start.AddHours(4), s_start.AddHours(4.1), 10)!.IsEmpty);
        Assert.False(scope.Store.Range("g", "x", s_start.AddYears(1), s_start.AddYears(1).AddHours(2), 10)!.IsEmpty);

        void Hours(DateTimeOffset from, double hours)
        {
            for (var i = 0; i < hours * 720; i++)
            {
                scope.Add(from.AddSeconds(5 * i), i % 100);
            }

            scope.Store.FlushAsync(Token).GetAwaiter().GetResult();
        }

        async Task<long> CountAsync(string table, int tier, DateTimeOffset before)
        {
            await using var connection = await scope.OpenAsync();
            return (long)(await HistoryScope.RunAsync(connection, $"SELECT COUNT(*) FROM {table} WHERE tier = {tier} AND start < {before.ToUnixTimeSeconds()}"))!;
        }
    }

    [Fact]
    public async Task Record_ClockADayBack_StaysInOrderAndKeepsBoth()
    {
        await using var scope = await HistoryScope.StartAsync();
        for (var s = 0; s < 400; s++)
        {
            scope.Add(s_start.AddDays(1).AddSeconds(s), 10);
        }

        for (var s = 0; s < 700; s++)
        {
            scope.Add(s_start.AddSeconds(s), 20);
        }

        // Over the same time once more: both were measured then, as the clock said.
        for (var s = 0; s < 400; s++)
        {
            scope.Add(s_start.AddDays(1).AddSeconds(s), 30);
        }

        await scope.Store.FlushAsync(Token);
        var back = scope.Store.Range("g", "x", s_start, s_start.AddSeconds(700), 700)!;
        Assert.All(back.Buckets, b => Assert.Equal(20, b!.Value.Mean));
        var twice = scope.Store.Range("g", "x", s_start.AddDays(1), s_start.AddDays(1).AddSeconds(400), 400)!;
        Assert.All(twice.Buckets, b => Assert.Equal((10.0, 20.0, 30.0, 2L), (b!.Value.Min, b.Value.Mean, b.Value.Max, b.Value.Count)));
        Assert.Equal(twice.Buckets.Select(b => b!.Value.Slot).Order(), twice.Buckets.Select(b => b!.Value.Slot));
    }

    [Fact]
    public async Task Size_OfWanderingRates_IsAtMostFourBytesASample()
    {
        await using var scope = await HistoryScope.StartAsync();
        var random = new Random(9);
        var levels = Enumerable.Range(1, 20).Select(i => i * 5e6).ToArray();
        for (var s = 0; s < 3600; s++)
        {
            var set = new MPSec.Live.SeriesSet();
            for (var i = 0; i < levels.Length; i++)
            {
                levels[i] *= 1 + ((random.NextDouble() - 0.5) * 0.1);
                set.Add("s" + i, i % 3 == 0 ? 0 : levels[i]);
            }

            scope.Store.Record("g", s_start.AddSeconds(s), set);
        }

        scope.Add(s_start.AddHours(1), 1);
        await scope.Store.FlushAsync(Token);
        await using (var connection = await scope.OpenAsync())
        {
            await HistoryScope.RunAsync(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        }

        Assert.InRange(new FileInfo(scope.Folder.HistoryDatabase).Length / (20.0 * 3600), 0.5, 4);
    }

    [Fact]
    public async Task Restart_JournalAndPieces_AreAllThere()
    {
        await using var scope = await HistoryScope.StartAsync();
        for (var s = 0; s < 450; s++)
        {
            scope.Add(s_start.AddSeconds(s), s);
        }

        await scope.RestartAsync(); // stopping stores what waits
        for (var s = 450; s < 620; s++)
        {
            scope.Add(s_start.AddSeconds(s), s);
        }

        await scope.Store.FlushAsync(Token);
        var range = scope.Store.Range("g", "x", s_start, s_start.AddSeconds(620), 620)!;
        Assert.Equal(Enumerable.Range(0, 620).Select(i => (double)i), range.Buckets.Select(b => b!.Value.Mean));
        Assert.Equal("x", Assert.Single(scope.Store.Series("g")).Name);
    }

    [Fact]
    public async Task Events_ByKindTokenInterfaceAndText_ComeNewestFirst()
    {
        await using var scope = await HistoryScope.StartAsync(settings: new HistorySettings { MostEvents = 1000 });
        for (var i = 0; i < 1500; i++)
        {
            scope.Store.Record(new HistoryEvent
            {
                Scope = "g", At = s_start.AddSeconds(i), Kind = i % 2 == 0 ? "subflow-closed" : "link-up", Token = i % 2 == 0 ? 0xfeedbeef : null, Interface = "p" + (i % 4), Local = "10.0.0.1:" + i, Backup = i % 2 == 0,
            });
        }

        scope.Add(s_start, 1);
        scope.Add(s_start.AddSeconds(1500), 1);
        await scope.Store.FlushAsync(Token);
        Assert.Equal(Enumerable.Range(0, 50).Select(i => 1500L - i), scope.Store.Events(new("g") { Limit = 50 }).Select(e => e.Id));
        Assert.Equal(500, scope.Store.Events(new("g") { Limit = 5000, Kinds = ["link-up"] }).Count); // 1,000 of 1,500 are kept
        Assert.Equal(2, scope.Store.Events(new("g") { Limit = 2, Token = 0xfeedbeef }).Count(e => e.Backup == true));
        Assert.All(scope.Store.Events(new("g") { Interface = "p3" }), e => Assert.Equal("link-up", e.Kind));
        Assert.Equal("10.0.0.1:1498", scope.Store.Events(new("g") { Text = "FEEDBEEF", Limit = 1 })[0].Local);
        Assert.Equal(s_start.AddSeconds(1499), Assert.Single(scope.Store.Events(new("g") { Text = "0.1:1499" })).At);
        Assert.Equal(3, scope.Store.Events(new("g") { After = 1497 }).Count);
        Assert.Equal(1199, scope.Store.Events(new("g") { Before = 1200, Limit = 1 })[0].Id);
        Assert.Empty(scope.Store.Events(new("h")));
    }

    [Fact]
    public async Task Settings_ChangedWhileItRuns_HoldAtOnceAndAfterARestart()
    {
        await using var scope = await HistoryScope.StartAsync();
        Assert.Contains("MostMiB", (await Assert.ThrowsAsync<ArgumentException>(() => scope.Store.ApplyAsync(new() { MostMiB = 1 }, Token))).Message, StringComparison.Ordinal);
        Assert.Equal(new HistorySettings(), scope.Store.Settings);
        await scope.Store.ApplyAsync(new() { SecondsForHours = 1, TenSecondsForHours = 2 }, Token);
        for (var s = 0; s < 4 * 3600; s += 10)
        {
            scope.Add(s_start.AddSeconds(s), 10);
        }

        await scope.Store.FlushAsync(Token);
        await using (var connection = await scope.OpenAsync())
        {
            Assert.Equal(0L, await HistoryScope.RunAsync(connection, $"SELECT COUNT(*) FROM raw WHERE tier = 0 AND start < {s_start.AddHours(2).ToUnixTimeSeconds()}"));
        }

        await scope.RestartAsync();
        Assert.Equal(1, scope.Store.Settings.SecondsForHours);
        await scope.RestartAsync(() => File.WriteAllText(scope.Folder.HistorySettings, "{ broken"));
        Assert.Equal(new HistorySettings(), scope.Store.Settings);
    }

    [Fact]
    public async Task Open_DatabaseOfTheVersionBefore_KeepsItsEventsAndTakesNewOnes()
    {
        await using var scope = await HistoryScope.StartAsync();
        scope.Store.Record(new HistoryEvent { Scope = "g", At = s_start, Kind = HistoryEventKind.LinkUp, Interface = "p1" });
        await scope.Store.FlushAsync(Token);
        await scope.Store.DisposeAsync();
        await using (var connection = await scope.OpenAsync())
        {
            await HistoryScope.RunAsync(connection, "ALTER TABLE event DROP COLUMN sent; ALTER TABLE event DROP COLUMN received; ALTER TABLE event DROP COLUMN lasted; PRAGMA user_version=1");
        }

        await scope.RestartAsync();
        scope.Store.Record(new HistoryEvent { Scope = "g", At = s_start.AddSeconds(1), Kind = HistoryEventKind.ConnectionClosed, BytesSent = 5_000_000_000, BytesReceived = 0, Lasted = TimeSpan.FromSeconds(1.5) });
        await scope.Store.FlushAsync(Token);
        var events = scope.Store.Events(new("g"));
        Assert.Equal((5_000_000_000L, 0L, TimeSpan.FromSeconds(1.5)), (events[0].BytesSent!.Value, events[0].BytesReceived!.Value, events[0].Lasted!.Value));
        Assert.Equal(("p1", null, null), (events[1].Interface, events[1].BytesSent, events[1].Lasted));
        Assert.Empty(scope.Store.Status.Quarantined);
    }

    [Fact]
    public void Settings_OutOfRange_NameTheSetting()
    {
        Assert.Empty(new HistorySettings().Faults());
        Assert.Contains(new HistorySettings { MostMiB = 1 }.Faults(), f => f.Contains("MostMiB must be 16 to 65536", StringComparison.Ordinal));
        Assert.Contains(new HistorySettings { SecondsForHours = 100 }.Faults(), f => f.Contains("coarser", StringComparison.Ordinal));
    }
}
