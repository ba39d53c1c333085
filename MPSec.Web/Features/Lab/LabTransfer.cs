using System.Buffers;
using System.Collections.Immutable;
using MPSec.Live;
using MPSec.Linux.Namespaces;

namespace MPSec.Features.Lab;

/// <summary>
/// The continuous transfer of a lab: one loop serves all connections every 10 ms, counts at the receiver over monotonic time, and makes broken connections
/// again. Runs until it is disposed or the lab is gone.
/// </summary>
public sealed class LabTransfer : IAsyncDisposable
{
    private const int KeptBins = 1200;
    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_bin = TimeSpan.FromMilliseconds(LabTransferSnapshot.BinMs);
    private static readonly TimeSpan s_publish = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_stall = TimeSpan.FromSeconds(1);

    // Longer than any outage that the paths survive by themselves is not waited for: a connection whose both ends live but never hear of each other again exists.
    private static readonly TimeSpan s_giveUp = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(3);

    private readonly LabSpec _spec;
    private readonly TimeProvider _time;
    private readonly Action<LabTransferSnapshot> _publish;
    private readonly CancellationTokenSource _stop = new();
    private readonly LabFlow?[] _flows;
    private readonly bool[] _wasConnected;
    private readonly long[] _nextAttempt;
    private readonly Task<LabFlow>?[] _attempts;
    private readonly (uint? Token, int? Subflows, bool Multipath)[] _facts;
    private readonly Task _loop;

    private LabTransferTotals _totals = new(TimeSpan.Zero, 0, 0);
    private bool _renew;
    private string? _reason;
    private int _reconnects;
    private long _closedBytesA;
    private long _closedBytesB;
    private long _lastArrival;
    private long _bytesAtArrival;
    private TimeSpan _longestStall;

    /// <summary>The lab.</summary>
    public LabSpec Spec => _spec;

    private LabTransfer(LabSpec spec, LabTransferSettings settings, TimeProvider time, Action<LabTransferSnapshot> publish)
    {
        _spec = spec;
        Settings = settings;
        _time = time;
        _publish = publish;
        _flows = new LabFlow?[settings.Connections];
        _wasConnected = new bool[settings.Connections];
        _nextAttempt = new long[settings.Connections];
        _attempts = new Task<LabFlow>?[settings.Connections];
        _facts = new (uint?, int?, bool)[settings.Connections];
        _loop = Task.Run(RunAsync);
    }

    /// <summary>What was asked for.</summary>
    public LabTransferSettings Settings { get; }

    /// <summary>Bytes per 50 ms of the last minute.</summary>
    public RingBuffer<LabTransferBin> Bins { get; } = new(KeptBins);

    /// <summary>What had arrived at the end of the newest bin.</summary>
    public LabTransferTotals Totals => Volatile.Read(ref _totals);

    /// <summary>Makes all connections again, counted as reconnects.</summary>
    public void Renew() => Volatile.Write(ref _renew, true);

    /// <summary>Completes when the loop has ended: it was stopped, or the lab is gone.</summary>
    public Task Ended => _loop;

    /// <summary>Begins to send.</summary>
    /// <param name="spec">The lab.</param>
    /// <param name="settings">Sound settings.</param>
    /// <param name="time">Clock.</param>
    /// <param name="publish">Receives the state four times a second, and once more at the end.</param>
    public static LabTransfer Start(LabSpec spec, LabTransferSettings settings, TimeProvider time, Action<LabTransferSnapshot> publish) => new(spec, settings, time, publish);

    /// <summary>The congestion control to use: what was asked for, else cubic where the kernel has it; null leaves the gateway's default.</summary>
    public static string? ChooseCongestion(string? wanted)
    {
        return wanted ?? (AvailableCongestion().Contains("cubic") ? "cubic" : null);
    }

    /// <summary>Why this kernel cannot use the congestion control that was asked for; null when it can.</summary>
    public static string? CongestionFault(string? wanted)
    {
        var available = AvailableCongestion();
        return wanted is null || available.Length == 0 || available.Contains(wanted) ? null : $"congestion: this kernel does not have {wanted}; it has {string.Join(", ", available)}";
    }

    private static string[] AvailableCongestion()
    {
        try
        {
            return File.ReadAllText("/proc/sys/net/ipv4/tcp_available_congestion_control").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var congestion = ChooseCongestion(Settings.Congestion);
        var payload = ArrayPool<byte>.Shared.Rent(256 * 1024);
        var started = _time.GetTimestamp();
        var (binStart, lastPublish, lastFacts) = (started, started, started);
        var (binA, binB) = (0L, 0L);
        try
        {
            using var timer = new PeriodicTimer(s_turn, _time);
            while (!_stop.IsCancellationRequested)
            {
                Connect(congestion);
                var eager = false;
                var renew = Interlocked.Exchange(ref _renew, false);
                for (var i = 0; i < _flows.Length; i++)
                {
                    Serve(i, payload, renew, ref eager);
                }

                var now = _time.GetTimestamp();
                NoteArrival(now);
                if (_time.GetElapsedTime(binStart, now) >= s_bin)
                {
                    var (a, b) = (TotalA, TotalB);
                    Bins.Add(new(_time.GetElapsedTime(started, now), _time.GetElapsedTime(binStart, now), b - binB, a - binA));
                    Volatile.Write(ref _totals, new(_time.GetElapsedTime(started, now), b, a));
                    (binA, binB, binStart) = (a, b, now);
                }

                if (_time.GetElapsedTime(lastFacts, now) >= TimeSpan.FromSeconds(1) || lastFacts == started)
                {
                    lastFacts = now;
                    if (!NamespaceThread.Exists(_spec.A) || !NamespaceThread.Exists(_spec.B))
                    {
                        _reason = $"lab {_spec.Name} is gone";
                        break;
                    }

                    ReadFacts();
                }

                if (_time.GetElapsedTime(lastPublish, now) >= s_publish)
                {
                    lastPublish = now;
                    _publish(Snapshot(started, now));
                }

                if (eager)
                {
                    await Task.Yield();
                }
                else
                {
                    await timer.WaitForNextTickAsync(_stop.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped by its owner.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(payload);
            await _stop.CancelAsync();
            foreach (var flow in _flows)
            {
                flow?.Dispose();
            }

            foreach (var attempt in _attempts)
            {
                await CloseAsync(attempt);
            }

            _publish(Snapshot(started, _time.GetTimestamp()) with { State = LabTransferState.Stopped });
        }
    }

    private long TotalA => _closedBytesA + _flows.Sum(f => f?.ReceivedByA ?? 0);

    private long TotalB => _closedBytesB + _flows.Sum(f => f?.ReceivedByB ?? 0);

    private static async Task CloseAsync(Task<LabFlow>? attempt)
    {
        if (attempt is null)
        {
            return;
        }

        try
        {
            (await attempt).Dispose();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or System.Net.Sockets.SocketException)
        {
            // It did not come to a connection.
        }
    }

    private void Connect(string? congestion)
    {
        for (var i = 0; i < _flows.Length; i++)
        {
            if (_flows[i] is not null)
            {
                continue;
            }

            if (_attempts[i] is null)
            {
                if (_nextAttempt[i] == 0 || _time.GetTimestamp() >= _nextAttempt[i])
                {
                    _attempts[i] = LabFlow.ConnectAsync(_spec, congestion, _time, _stop.Token);
                }

                continue;
            }

            if (!_attempts[i]!.IsCompleted)
            {
                continue;
            }

            var attempt = _attempts[i]!;
            _attempts[i] = null;
            if (attempt.IsCompletedSuccessfully)
            {
                _flows[i] = attempt.GetAwaiter().GetResult();
                _reconnects += _wasConnected[i] ? 1 : 0;
                _wasConnected[i] = true;
                _reason = null;
                _lastArrival = _time.GetTimestamp();
            }
            else
            {
                _reason = attempt.Exception?.GetBaseException().Message ?? _reason;
                _nextAttempt[i] = _time.GetTimestamp() + (_time.TimestampFrequency / 2);
            }
        }
    }

    private void Serve(int i, byte[] payload, bool renew, ref bool eager)
    {
        if (_flows[i] is not { } flow)
        {
            return;
        }

        var silent = _lastArrival != 0 && _time.GetElapsedTime(_lastArrival) > s_giveUp;
        if (flow.Turn(Settings.Direction, payload, ref eager) && !silent && !renew)
        {
            return;
        }

        _reason = renew ? "path 1 was lost; connecting again" : silent ? "nothing has arrived for 30 s; connecting again" : "the connection broke; connecting again";
        _closedBytesA += flow.ReceivedByA;
        _closedBytesB += flow.ReceivedByB;
        flow.Dispose();
        _flows[i] = null;
        _facts[i] = default;
        _nextAttempt[i] = _time.GetTimestamp() + (_time.TimestampFrequency / 10);
    }

    private void NoteArrival(long now)
    {
        var total = TotalA + TotalB;
        if (total == _bytesAtArrival)
        {
            return;
        }

        if (_bytesAtArrival > 0)
        {
            var gap = _time.GetElapsedTime(_lastArrival, now);
            _longestStall = gap > _longestStall ? gap : _longestStall;
        }

        _bytesAtArrival = total;
        _lastArrival = now;
    }

    private void ReadFacts()
    {
        for (var i = 0; i < _flows.Length; i++)
        {
            if (_flows[i] is { } flow)
            {
                _facts[i] = flow.ReadInfo() is { } info ? (info.Token, info.SubflowsTotal ?? info.AdditionalSubflows + 1, flow.Multipath && !info.IsFallback) : (null, null, false);
            }
        }
    }

    private LabTransferSnapshot Snapshot(long started, long now)
    {
        var elapsed = _time.GetElapsedTime(started, now);
        var recent = Bins.ToArray();
        var from = Array.FindIndex(recent, bin => bin.At > elapsed - s_window);
        double? aToB = null, bToA = null;
        if (from >= 0 && recent.Length - from > 1)
        {
            // Bins end when a turn comes, so they are a little longer than 50 ms: divide by the time they really cover.
            var seconds = (recent[^1].At - recent[from].At).TotalSeconds;
            aToB = recent.AsSpan(from + 1).ToArray().Sum(b => b.AToBBytes) * 8 / seconds / 1e6;
            bToA = recent.AsSpan(from + 1).ToArray().Sum(b => b.BToABytes) * 8 / seconds / 1e6;
        }

        var connected = _flows.Any(f => f is not null);
        return new()
        {
            Lab = _spec.Name,
            State = !connected ? LabTransferState.Connecting : _bytesAtArrival > 0 && _time.GetElapsedTime(_lastArrival, now) < s_stall ? LabTransferState.Running : LabTransferState.Stalled,
            Settings = Settings,
            Reason = _reason,
            AToBMbit = aToB,
            BToAMbit = bToA,
            ReceivedBytes = TotalA + TotalB,
            LongestStall = _longestStall,
            Elapsed = elapsed,
            Reconnects = _reconnects,
            Flows = [.. _flows.Select((f, i) => new LabFlowSnapshot(i + 1, _facts[i].Token, _facts[i].Subflows, _facts[i].Multipath, (f?.ReceivedByA ?? 0) + (f?.ReceivedByB ?? 0)))],
        };
    }
}
