using Microsoft.Data.Sqlite;
using MPSec.Data.History;
using MPSec.Tests.Netns;

namespace MPSec.Tests.Data.History;

/// <summary>Full disk, foreign lock, damage: history may suffer, nothing else, and nothing acknowledged is lost but what is told.</summary>
public sealed class HistoryFaultTests
{
    private static readonly DateTimeOffset s_start = HistoryScope.Start;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Locked_ByAnotherProcess_FiguresWaitAndAllArrive()
    {
        await using var scope = await HistoryScope.StartAsync();
        scope.Add(s_start, 1);
        await scope.Store.FlushAsync(Token);
        await using (var other = await scope.OpenAsync())
        {
            await HistoryScope.RunAsync(other, "BEGIN IMMEDIATE");
            scope.Add(s_start.AddSeconds(1), 2);
            var flushed = scope.Store.FlushAsync(Token);
            var locked = await scope.WaitAsync(s => s.State == HistoryState.Locked);
            if (LongProofs.Wanted)
            {
                await Task.Delay(TimeSpan.FromSeconds(30), Token);
            }

            Assert.False(flushed.IsCompleted);
            Assert.Equal(1, scope.Store.Status.Waiting);
            Assert.Contains("sqlite3 shell", locked.Reason, StringComparison.Ordinal);
            for (var s = 2; s < 500; s++)
            {
                scope.Add(s_start.AddSeconds(s), 2);
            }

            await HistoryScope.RunAsync(other, "COMMIT");
            await flushed;
        }

        await scope.Store.FlushAsync(Token);
        await scope.WaitAsync(s => s is { State: HistoryState.Writing, Waiting: 0 });
        Assert.DoesNotContain(null, scope.Store.Range("g", "x", s_start, s_start.AddSeconds(500), 500)!.Buckets);
        Assert.Equal(0, scope.Store.Status.Dropped);
    }

    [Fact]
    public async Task Record_MoreThanMayWait_DropsTheOldestAndCounts()
    {
        await using var scope = new HistoryScope(settings: new HistorySettings { MostWaiting = 1000 });
        for (var s = 0; s < 1500; s++)
        {
            scope.Add(s_start.AddSeconds(s), s);
        }

        Assert.Equal((1000L, 500L), (scope.Store.Status.Waiting, scope.Store.Status.Dropped));
        await scope.Store.StartAsync(Token);
        await scope.Store.FlushAsync(Token);
        Assert.Equal(500, scope.Store.Range("g", "x", s_start, s_start.AddSeconds(1500), 1500)!.Buckets.Count(b => b is null));
    }

    [Fact]
    public async Task Disk_Full_TellsGoesOnAndComesBack()
    {
        using var disk = SmallDisk.Make(6);
        await using var scope = await HistoryScope.StartAsync(disk.Folder);
        Fill(0, 2000);
        await scope.Store.FlushAsync(Token);
        var filler = Path.Combine(disk.Folder, "filler");
        disk.FillUp(filler);
        for (var part = 1; part < 16 && scope.Store.Status.State != HistoryState.DiskFull; part++)
        {
            Fill(part * 2000, 2000);
            await Task.Delay(50, Token);
        }

        var full = await scope.WaitAsync(s => s.State == HistoryState.DiskFull);
        File.Delete(filler);
        Assert.Contains("no room", full.Reason, StringComparison.Ordinal);
        Fill(200_000, 400);
        await scope.Store.FlushAsync(Token);
        await scope.WaitAsync(s => s.State == HistoryState.Writing);
        Assert.Equal(0, scope.Store.Status.Dropped);
        Assert.DoesNotContain(null, scope.Store.Range("g", "x", s_start.AddSeconds(200_000), s_start.AddSeconds(200_400), 400)!.Buckets);
        Assert.False(scope.Store.Range("g", "x", s_start, s_start.AddSeconds(1500), 2)!.IsEmpty); // coarse points of the begin were kept
        await using var connection = await scope.OpenAsync();
        Assert.Equal("ok", await HistoryScope.RunAsync(connection, "PRAGMA integrity_check"));

        void Fill(int from, int count)
        {
            var random = new Random(from);
            for (var s = from; s < from + count; s++)
            {
                var set = new MPSec.Live.SeriesSet();
                for (var series = 0; series < 30; series++)
                {
                    set.Add(series == 0 ? "x" : "x" + series, random.NextDouble() * 1e9);
                }

                scope.Store.Record("g", s_start.AddSeconds(s), set);
            }
        }
    }

    [Fact]
    public async Task SizeCap_Reached_FinestPointsGoFirst()
    {
        await using var scope = await HistoryScope.StartAsync(settings: new HistorySettings { MostMiB = 2, SecondsForHours = 168, TenSecondsForHours = 168 });
        var random = new Random(1);
        for (var s = 0; s < 6000; s++)
        {
            var set = new MPSec.Live.SeriesSet();
            for (var series = 0; series < 80; series++)
            {
                set.Add("s" + series, random.NextDouble() * Math.Pow(10, random.Next(9)));
            }

            scope.Store.Record("g", s_start.AddSeconds(s), set);
            if (s % 300 == 0)
            {
                await scope.Store.FlushAsync(Token);
            }
        }

        await scope.Store.FlushAsync(Token);
        Assert.InRange(new FileInfo(scope.Folder.HistoryDatabase).Length, 1, 2 * 1024 * 1024);
        Assert.Equal(10, scope.Store.Range("g", "s7", s_start, s_start.AddSeconds(600), 600)!.TierSeconds);
        Assert.Equal(0, scope.Store.Status.Dropped);
    }

    [Fact]
    public async Task Damaged_AtAnyPage_IsSoundOrPutAside()
    {
        await using var scope = await HistoryScope.StartAsync();
        for (var s = 0; s < 1300; s++)
        {
            for (var series = 0; series < 4; series++)
            {
                scope.Add(s_start.AddSeconds(s), s * 1e5 % 977, "x" + series);
            }

            scope.Store.Record(new HistoryEvent { Scope = "g", At = s_start.AddSeconds(s), Kind = "link-up", Interface = "p1" });
        }

        await scope.Store.FlushAsync(Token);
        await scope.Store.DisposeAsync();
        var sound = await File.ReadAllBytesAsync(scope.Folder.HistoryDatabase, Token);
        var pages = sound.Length / 4096;
        var aside = 0;
        var random = new Random(5);
        for (var page = 0; page < pages; page += LongProofs.Wanted ? 1 : Math.Max(1, pages / 12))
        {
            foreach (var kind in new[] { 0, 1, 2 })
            {
                var broken = sound.ToArray();
                switch (kind)
                {
                    case 0:
                        random.NextBytes(broken.AsSpan(page * 4096, 4096));
                        break;
                    case 1:
                        broken = broken[..((page * 4096) + 100)];
                        break;
                    default:
                        broken[(page * 4096) + random.Next(4096)] ^= 0x10;
                        break;
                }

                aside += await TryAsync(broken) ? 1 : 0;
            }
        }

        Assert.True(aside > 0);

        async Task<bool> TryAsync(byte[] bytes)
        {
            foreach (var file in Directory.EnumerateFiles(scope.Folder.Root, "history.db*"))
            {
                File.Delete(file);
            }

            await File.WriteAllBytesAsync(scope.Folder.HistoryDatabase, bytes, Token);
            await using var again = await HistoryScope.StartAsync(scope.Folder.Root);
            try
            {
                for (var series = 0; series < 4; series++)
                {
                    again.Store.Range("g", "x" + series, s_start, s_start.AddSeconds(1300), 100);
                    again.Store.Range("g", "x" + series, s_start, s_start.AddSeconds(1300), 2);
                }

                again.Store.Events(new("g") { Limit = 5000 });
            }
            catch (HistoryUnavailableException)
            {
                await again.WaitAsync(s => s is { State: HistoryState.Writing, Quarantined.Count: > 0 });
            }

            again.Add(s_start.AddDays(3), 7, "new");
            again.Add(s_start.AddDays(3).AddHours(1), 7, "new");
            await again.Store.FlushAsync(Token);
            await again.WaitAsync(s => s.State == HistoryState.Writing);
            Assert.Equal(again.Store.Status.Quarantined, Directory.EnumerateFiles(scope.Folder.Root, "history.db.damaged-*").Where(f => !f.EndsWith("-wal", StringComparison.Ordinal) && !f.EndsWith("-shm", StringComparison.Ordinal)));
            return again.Store.Status.Quarantined.Count > 0;
        }
    }

    [Fact]
    public async Task Killed_WhileWriting_KeepsWhatWasAcknowledged()
    {
        var random = new Random(11);
        await using var scope = new HistoryScope(settings: new HistorySettings { SecondsForHours = 168, TenSecondsForHours = 168 });
        long acknowledged = 0;
        for (var kill = 0; kill < (LongProofs.Wanted ? 60 : 3); kill++)
        {
            using var child = HistoryChild.Start(scope.Folder.Root, acknowledged);
            acknowledged = await child.KillAfterAsync(TimeSpan.FromMilliseconds(random.Next(50, 1500)), Token);
        }

        Assert.True(acknowledged > 0);
        await scope.Store.StartAsync(Token);
        await scope.WaitAsync(s => s.State == HistoryState.Writing);
        Assert.Empty(scope.Store.Status.Quarantined);
        await using var connection = await scope.OpenAsync();
        Assert.Equal("ok", await HistoryScope.RunAsync(connection, "PRAGMA integrity_check"));
        var start = s_start.ToUnixTimeSeconds();
        var seen = 0L;
        while (seen < acknowledged)
        {
            // The value of second n is n: each one must be there, exactly once.
            var range = scope.Store.Range("g", "x", s_start.AddSeconds(seen), s_start.AddSeconds(Math.Min(acknowledged, seen + 5000)), 5000)!;
            if (range.TierSeconds > 1)
            {
                Assert.DoesNotContain(null, range.Buckets); // older than two hours of recording
            }
            else
            {
                Assert.All(range.Buckets, b => Assert.Equal(((double)((b!.Value.Slot - start) % 16384), 1L), (b.Value.Mean, b.Value.Count)));
            }

            seen += 5000;
        }
    }
}
