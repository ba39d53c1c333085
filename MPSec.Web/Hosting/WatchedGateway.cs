using System.Collections.Immutable;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting;

/// <summary>
/// A gateway that is read again and again and listened to in between. Both sockets are opened when needed and dropped when the namespace is gone, so that a
/// new namespace of the same name is found by itself.
/// </summary>
public sealed class WatchedGateway(GatewayName gateway, TimeProvider time) : IAsyncDisposable
{
    /// <summary>How long a reading tells that events were lost; long enough for a person to see it.</summary>
    public static readonly TimeSpan TellLossFor = TimeSpan.FromSeconds(10);

    private const int Enobufs = 105;
    private GatewayReader? _reader;
    private NetlinkMonitor? _monitor;
    private Task _listening = Task.CompletedTask;
    private long _lostAt = long.MinValue;
    private ImmutableDictionary<int, int> _interruptions = ImmutableDictionary<int, int>.Empty;

    /// <summary>Something changed in the kernel: read early. Raised on any thread.</summary>
    public event Action? Changed;

    /// <summary>The kernel told something. Raised in order, on the thread that listens.</summary>
    public event Action<GatewayEvent>? Happened;

    /// <summary>The first reading after the namespace was opened, and whether its MPTCP events are heard; null when no event is.</summary>
    public event Action<GatewayReading, MptcpEventAccess?>? Opened;

    /// <summary>Takes one reading.</summary>
    /// <exception cref="SampleException"><c>gone</c> when the namespace does not exist, <c>permission</c> when it may not be entered.</exception>
    public GatewayReading Read()
    {
        try
        {
            var first = _reader is null;
            _reader ??= Open();
            var reading = _reader.Read() with { Interruptions = Volatile.Read(ref _interruptions) };
            if (first)
            {
                Opened?.Invoke(reading, _monitor?.Mptcp);
            }

            return Volatile.Read(ref _lostAt) is var lost and not long.MinValue && time.GetElapsedTime(lost) < TellLossFor
                ? reading with { Faults = reading.Faults.Add(new("events", Enobufs, "More happened than the event buffer could hold; everything was read again.")) }
                : reading;
        }
        catch (NamespaceException e)
        {
            Close();
            throw new SampleException(e.IsGone ? "gone" : "permission", e.Message, e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        var monitor = _monitor;
        Close();
        if (monitor is not null)
        {
            await monitor.DisposeAsync();
        }

        await _listening;
    }

    private GatewayReader Open()
    {
        var reader = GatewayReader.Open(gateway);
        try
        {
            _monitor = NetlinkMonitor.Open(gateway);
            _listening = ListenAsync(_monitor);
        }
        catch (NetlinkException)
        {
            // Without events the timer alone finds every change, a second later.
        }
        catch
        {
            reader.Dispose();
            throw;
        }

        return reader;
    }

    private async Task ListenAsync(NetlinkMonitor monitor)
    {
        await foreach (var change in monitor.ReadAllAsync())
        {
            if (change is EventsLost)
            {
                Volatile.Write(ref _lostAt, time.GetTimestamp());
                Count(0);
            }
            else if (change is LinkChanged { Link: { IsUp: false } or { HasCarrier: false } } link)
            {
                Count(link.Link.Index);
            }

            Happened?.Invoke(change);

            // Connections come and go by the thousand; the timer is early enough for them.
            if (change is not MptcpEvent)
            {
                Changed?.Invoke();
            }
        }
    }

    // One reader of events at a time writes.
    private void Count(int index) => Volatile.Write(ref _interruptions, _interruptions.SetItem(index, _interruptions.GetValueOrDefault(index) + 1));

    private void Close()
    {
        _reader?.Dispose();
        _reader = null;
        var monitor = _monitor;
        _monitor = null;
        _ = monitor?.DisposeAsync().AsTask();
    }
}
