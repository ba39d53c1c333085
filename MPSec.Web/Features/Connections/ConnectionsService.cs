using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MPSec.Linux.Gateways;

namespace MPSec.Features.Connections;

/// <summary>Turns a snapshot of a gateway into rows. One computation serves every browser that looks at the same snapshot.</summary>
public sealed class ConnectionsService(IConnectionPaths paths)
{
    private const byte Listen = 10;

    // Counters of net/mptcp/mib.c that stand for a reason.
    private static readonly string[] s_fallback =
    [
        "MPCapableFallbackACK", "MPCapableFallbackSYNACK", "MPFallbackTokenInit", "MPCapableDataFallback", "MD5SigFallback", "DssFallback",
        "SimultConnectFallback", "DSSCorruptionFallback", "DSSNoMatchTCP", "InfiniteMapTx", "InfiniteMapRx", "MPFailTx", "MPFailRx", "Blackhole",
        "MPCapableSYNTXDrop", "MPCapableSYNTXDisabled", "DataCsumErr",
    ];

    private static readonly string[] s_joins =
    [
        "MPJoinNoTokenFound", "MPJoinSynAckHMacFailure", "MPJoinAckHMacFailure", "MPJoinRejected", "MPJoinSynTxCreatSkErr", "MPJoinSynTxBindErr",
        "MPJoinSynTxConnectErr", "MismatchPortSynRx", "MismatchPortAckRx",
    ];

    private readonly ConditionalWeakTable<GatewaySnapshot, ConnectionsSnapshot> _made = [];

    /// <summary>Numbers of the paths that <paramref name="reading"/> shows, by interface.</summary>
    public IReadOnlyDictionary<string, int> NumbersOf(GatewayReading reading) => paths.NumbersOf(reading);

    /// <summary>The connections of <paramref name="snapshot"/>; rates when it knows the reading before.</summary>
    public ConnectionsSnapshot Of(GatewaySnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return _made.GetValue(snapshot, s => Of(s.Reading, s.Before, s.Interval, paths.NumbersOf(s.Reading)));
    }

    /// <summary>The connections of <paramref name="now"/>.</summary>
    /// <param name="now">The reading.</param>
    /// <param name="before">The one before it; null gives no rates.</param>
    /// <param name="elapsed">Monotonic time between both.</param>
    /// <param name="numbers">Path numbers by interface name.</param>
    internal static ConnectionsSnapshot Of(GatewayReading now, GatewayReading? before, TimeSpan elapsed, IReadOnlyDictionary<string, int> numbers)
    {
        var seconds = before is null || elapsed <= TimeSpan.Zero ? 0 : elapsed.TotalSeconds;
        var subflows = new SubflowTable(now, seconds > 0 ? before : null, seconds, numbers);
        var earlier = seconds > 0 ? ByKey(before!.Connections) : [];
        var rows = ImmutableArray.CreateBuilder<ConnectionRow>(now.Connections.Length);
        foreach (var connection in now.Connections)
        {
            if (connection.State == Listen)
            {
                continue;
            }

            var old = earlier.GetValueOrDefault((connection.Token ?? 0, connection.Remote));
            rows.Add(new()
            {
                Kernel = connection,
                Local = Unmapped(connection.Local),
                Remote = Unmapped(connection.Remote),
                Subflows = subflows.Rows(connection.Token),
                SendBits = old is null ? null : Rate(old.BytesSent, connection.BytesSent, seconds),
                ReceiveBits = old is null ? null : Rate(old.BytesReceived, connection.BytesReceived, seconds),
            });
        }

        return new()
        {
            Gateway = now.Gateway.Value,
            Rows = rows.DrainToImmutable(),
            PlainTcp = now.PlainTcpEstablished,
            MptcpEnabled = now.MptcpEnabled,
            FallbackCauses = Counted(now.Counters, s_fallback),
            JoinFailures = Counted(now.Counters, s_joins),
        };
    }

    /// <summary>IPv4 as such, also when an IPv6 socket carries it.</summary>
    internal static IPEndPoint Unmapped(IPEndPoint end) => end.Address.IsIPv4MappedToIPv6 ? new(end.Address.MapToIPv4(), end.Port) : end;

    private static double Bytes(Subflow subflow) => (double)(subflow.BytesSent ?? 0) + (subflow.BytesReceived ?? 0);

    private static int InOrder(SubflowRow a, SubflowRow b) => (a.Path ?? int.MaxValue).CompareTo(b.Path ?? int.MaxValue) is var byPath and not 0
        ? byPath
        : string.CompareOrdinal(a.Local.ToString(), b.Local.ToString()) is var byLocal and not 0 ? byLocal : string.CompareOrdinal(a.Remote.ToString(), b.Remote.ToString());

    private static Dictionary<(uint, IPEndPoint), MptcpConnection> ByKey(ImmutableArray<MptcpConnection> connections)
    {
        var found = new Dictionary<(uint, IPEndPoint), MptcpConnection>(connections.Length);
        foreach (var connection in connections)
        {
            if (connection.Token is { } token and not 0)
            {
                found[(token, connection.Remote)] = connection;
            }
        }

        return found;
    }

    // A counter that went back was reset: no rate is better than a wrong one.
    private static double? Rate(ulong? before, ulong? now, double seconds) => before is { } from && now is { } to && to >= from ? (to - from) * 8 / seconds : null;

    private static ImmutableArray<ConnectionCounter> Counted(CounterSet counters, string[] names) =>
        [.. names.Select(n => new ConnectionCounter(n, counters.TryGetValue("MPTcpExt" + n, out var value) ? value : 0)).Where(c => c.Value > 0)];

    /// <summary>The subflows of a reading by token, and what is needed to make rows of them.</summary>
    private sealed class SubflowTable
    {
        private readonly Dictionary<uint, List<Subflow>> _byToken;
        private readonly Dictionary<(IPEndPoint, IPEndPoint), Subflow> _before;
        private readonly Dictionary<int, string> _names;
        private readonly Dictionary<IPAddress, string?> _places;
        private readonly IReadOnlyDictionary<string, int> _numbers;
        private readonly double _seconds;

        public SubflowTable(GatewayReading now, GatewayReading? before, double seconds, IReadOnlyDictionary<string, int> numbers)
        {
            (_numbers, _seconds) = (numbers, seconds);
            _names = now.Links.ToDictionary(l => l.Index, l => l.Name);
            _places = new(now.Addresses.Length);
            foreach (var address in now.Addresses)
            {
                _places.TryAdd(address.Prefix.Address, _names.GetValueOrDefault(address.InterfaceIndex));
            }

            _byToken = new(now.Connections.Length);
            foreach (var subflow in now.Subflows)
            {
                if (!_byToken.TryGetValue(subflow.TokenLocal, out var list))
                {
                    _byToken[subflow.TokenLocal] = list = new(4);
                }

                list.Add(subflow);
            }

            _before = new(before?.Subflows.Length ?? 0);
            foreach (var subflow in before?.Subflows ?? [])
            {
                _before[(subflow.Local, subflow.Remote)] = subflow;
            }
        }

        public ImmutableArray<SubflowRow> Rows(uint? token)
        {
            if (token is not { } wanted || wanted == 0 || !_byToken.TryGetValue(wanted, out var list))
            {
                return [];
            }

            double sum = 0;
            foreach (var subflow in list)
            {
                sum += Bytes(subflow);
            }

            var rows = new SubflowRow[list.Count];
            for (var i = 0; i < rows.Length; i++)
            {
                rows[i] = Row(list[i], sum);
            }

            Array.Sort(rows, InOrder);
            return ImmutableCollectionsMarshal.AsImmutableArray(rows);
        }

        private SubflowRow Row(Subflow subflow, double sum)
        {
            var local = Unmapped(subflow.Local);
            var place = subflow.BoundInterfaceIndex != 0 ? _names.GetValueOrDefault((int)subflow.BoundInterfaceIndex) : _places.GetValueOrDefault(local.Address);
            var old = _before.GetValueOrDefault((subflow.Local, subflow.Remote));
            old = old?.TokenLocal == subflow.TokenLocal ? old : null; // the ports were taken by another connection
            return new()
            {
                Kernel = subflow,
                Local = local,
                Remote = Unmapped(subflow.Remote),
                Interface = place,
                Path = place is not null && _numbers.TryGetValue(place, out var number) ? number : null,
                SendBits = old is null ? null : Rate(old.BytesSent, subflow.BytesSent, _seconds),
                ReceiveBits = old is null ? null : Rate(old.BytesReceived, subflow.BytesReceived, _seconds),
                Share = sum > 0 ? Bytes(subflow) / sum : null,
            };
        }
    }
}
