using System.Diagnostics;
using System.Globalization;
using MPSec.Data.History;

namespace MPSec.Tests.Data.History;

/// <summary>Writes history in a process of its own, to be killed: second n has the value n modulo 16,384, and what was committed is noted in a file.</summary>
public sealed class HistoryChild : IDisposable
{
    private const string RootVariable = "MPSEC_HISTORY_TEST_STATE";
    private const string FirstVariable = "MPSEC_HISTORY_TEST_FIRST";
    private readonly Process? _process;
    private readonly string _notes;

    private HistoryChild(Process? process, string notes) => (_process, _notes) = (process, notes);

    /// <summary>Only for the process to be killed.</summary>
    public HistoryChild()
        : this(null, "")
    {
    }

    public static HistoryChild Start(string root, long first)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "MPSec.Web.Tests"), ["-explicit", "only", "-method", $"{typeof(HistoryChild).FullName}.{nameof(Write_UntilKilled)}"]) { RedirectStandardOutput = true };
        start.Environment[RootVariable] = root;
        start.Environment[FirstVariable] = first.ToString(CultureInfo.InvariantCulture);
        var notes = Path.Combine(root, "acknowledged");
        File.Delete(notes);
        var process = Process.Start(start)!;
        _ = process.StandardOutput.ReadToEndAsync();
        return new(process, notes);
    }

    /// <summary>Lets it write for a while after its first commit, kills it, and tells up to which second everything was acknowledged.</summary>
    public async Task<long> KillAfterAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        while (!File.Exists(_notes) || new FileInfo(_notes).Length == 0)
        {
            Assert.False(_process!.HasExited, "the writing process ended by itself");
            await Task.Delay(10, cancellationToken);
        }

        await Task.Delay(time, cancellationToken);
        _process!.Kill();
        await _process.WaitForExitAsync(cancellationToken);
        var lines = (await File.ReadAllTextAsync(_notes, cancellationToken)).Split('\n');
        return long.Parse(lines[^2], CultureInfo.InvariantCulture); // the last line may be half
    }

    [Fact(Explicit = true)]
    public async Task Write_UntilKilled()
    {
        var root = Environment.GetEnvironmentVariable(RootVariable) ?? throw new InvalidOperationException($"set {RootVariable}");
        var second = long.Parse(Environment.GetEnvironmentVariable(FirstVariable)!, CultureInfo.InvariantCulture);
        await using var scope = await HistoryScope.StartAsync(root, new HistorySettings { SecondsForHours = 168, TenSecondsForHours = 168 });

        // What the process before committed without being able to say so must not come twice.
        while (scope.Store.Range("g", "x", HistoryScope.Start.AddSeconds(second), HistoryScope.Start.AddSeconds(second + 5000), 5000) is { IsEmpty: false } known)
        {
            second = known.Buckets.OfType<HistoryPoint>().Last().Slot - HistoryScope.Start.ToUnixTimeSeconds() + 1;
        }

        await using var notes = new StreamWriter(Path.Combine(root, "acknowledged"));
        while (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            for (var i = 0; i < 37; i++, second++)
            {
                scope.Add(HistoryScope.Start.AddSeconds(second), second % 16384);
            }

            await scope.Store.FlushAsync(TestContext.Current.CancellationToken);
            await notes.WriteAsync(second.ToString(CultureInfo.InvariantCulture) + "\n");
            await notes.FlushAsync(TestContext.Current.CancellationToken);
        }
    }

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
        }

        _process?.Dispose();
    }
}
