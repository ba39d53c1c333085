using System.Net;
using MPSec.Data.History;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Hosting.History;

/// <summary>
/// Turns what the kernel tells of a gateway into events of its history: adds the interface, remembers what a connection was when only its token is told, and
/// leaves out what is no change. Called by one thread that listens and one that reads.
/// </summary>
/// <param name="gateway">The gateway.</param>
/// <param name="time">The clock.</param>
/// <param name="record">Receives the events in order.</param>
public sealed class GatewayEventLog(string gateway, TimeProvider time, Action<HistoryEvent> record)
{
    /// <summary>Most events of connections kept per second in the long run; a storm of connections must not push everything else out of the timeline.</summary>
    public const int MostPerSecond = 200;

    /// <summary>Most events of connections kept at once after a quiet time.</summary>
    public const int MostAtOnce = 2000;

    private const int MostConnections = 50_000;
    private const int Eperm = 1;
    private const int Eopnotsupp = 95;

    private readonly Lock _lock = new();
    private readonly Dictionary<int, (string Name, bool Up)> _links = [];
    private readonly HashSet<(int Index, IpPrefix Prefix)> _prefixes = [];
    private readonly Dictionary<IPAddress, int> _owners = []; // stays after an address is gone: its subflows end a little later
    private readonly Dictionary<uint, Connection> _connections = [];
    private readonly JoinLog _joins = new(time);
    private double _budget = MostAtOnce;
    private long _budgetAt = time.GetTimestamp();
    private long _skipped;
    private bool _begun;

    /// <summary>Begins with what there is, so that only changes become events. Called again when the namespace was made anew.</summary>
    public void Begin(GatewayReading reading, MptcpEventAccess? access)
    {
        ArgumentNullException.ThrowIfNull(reading);
        lock (_lock)
        {
            _links.Clear();
            _prefixes.Clear();
            _connections.Clear();
            _joins.Forget();
            foreach (var link in reading.Links)
            {
                _links[link.Index] = (link.Name, IsUp(link));
            }

            foreach (var address in reading.Addresses)
            {
                Know(address);
            }

            _begun = true;
            if (access is MptcpEventAccess.NotPermitted or MptcpEventAccess.NotInKernel)
            {
                record(New(HistoryEventKind.NotHeard) with { Error = access == MptcpEventAccess.NotPermitted ? Eperm : Eopnotsupp });
            }
        }
    }

    /// <summary>Joins by interface.</summary>
    public IReadOnlyDictionary<string, PathJoins> Joins()
    {
        lock (_lock)
        {
            return _joins.Read();
        }
    }

    /// <summary>Remembers what the connections have carried so far: the kernel tells nothing of it when one ends.</summary>
    public void See(GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        lock (_lock)
        {
            _joins.See(reading);
            TellSkipped();
            foreach (var read in reading.Connections)
            {
                if (read.Token is { } token && _connections.TryGetValue(token, out var known))
                {
                    (known.Sent, known.Received) = ((long?)read.BytesSent, (long?)read.BytesReceived);
                }
            }
        }
    }

    /// <summary>Takes one event.</summary>
    public void Add(GatewayEvent happened)
    {
        lock (_lock)
        {
            switch (happened)
            {
                case MptcpEvent e:
                    Add(e);
                    break;
                case LinkChanged { Link: var link }:
                    Add(link);
                    break;
                case LinkGone gone when _links.Remove(gone.Index) && _begun:
                    record(New(HistoryEventKind.LinkRemoved) with { Interface = gone.Name });
                    break;
                case AddressAdded { Address: var address } when Know(address) && _begun:
                    record(New(HistoryEventKind.IpAdded) with { Interface = NameOf(address.InterfaceIndex), Local = address.Prefix.ToString() });
                    break;
                case AddressRemoved { Address: var address } when _prefixes.Remove((address.InterfaceIndex, address.Prefix)) && _begun:
                    record(New(HistoryEventKind.IpRemoved) with { Interface = NameOf(address.InterfaceIndex), Local = address.Prefix.ToString() });
                    break;
                case EventsLost:
                    _joins.Forget();
                    record(New(HistoryEventKind.Lost) with { Count = 1 });
                    break;
            }
        }
    }

    private static bool IsUp(LinkReading link) => link is { IsUp: true, HasCarrier: true };

    private void Add(LinkReading link)
    {
        var known = _links.TryGetValue(link.Index, out var before);
        _links[link.Index] = (link.Name, IsUp(link));
        if (!_begun)
        {
            return;
        }

        if (!known)
        {
            record(New(HistoryEventKind.LinkAdded) with { Interface = link.Name });
        }

        if (before.Up != IsUp(link))
        {
            record(New(IsUp(link) ? HistoryEventKind.LinkUp : HistoryEventKind.LinkDown) with { Interface = link.Name });
        }
    }

    private void Add(MptcpEvent e)
    {
        var kind = e.Kind switch
        {
            MptcpEventKind.Created => HistoryEventKind.ConnectionCreated,
            MptcpEventKind.Established => HistoryEventKind.ConnectionEstablished,
            MptcpEventKind.Closed => HistoryEventKind.ConnectionClosed,
            MptcpEventKind.Announced => HistoryEventKind.AddressAnnounced,
            MptcpEventKind.Removed => HistoryEventKind.AddressWithdrawn,
            MptcpEventKind.SubflowEstablished => HistoryEventKind.SubflowEstablished,
            MptcpEventKind.SubflowClosed => HistoryEventKind.SubflowClosed,
            MptcpEventKind.PriorityChanged => HistoryEventKind.PriorityChanged,
            MptcpEventKind.ListenerCreated => HistoryEventKind.ListenerCreated,
            MptcpEventKind.ListenerClosed => HistoryEventKind.ListenerClosed,
            _ => null,
        };
        if (kind is null)
        {
            return;
        }

        var (local, remote) = (e.Local?.ToString(), e.Remote?.ToString());
        var device = NameOf(e.InterfaceIndex ?? (e.Local is { } l && _owners.TryGetValue(l.Address, out var index) ? index : 0));
        kind = _joins.IsFailure(e, device) ? HistoryEventKind.SubflowFailed : kind;
        Connection? was = null;
        if (e is { Kind: MptcpEventKind.Created, Token: { } token } && _connections.Count < MostConnections)
        {
            _connections[token] = new(local, remote, time.GetTimestamp());
        }
        else if (e is { Kind: MptcpEventKind.Established, Token: { } established } && !_connections.ContainsKey(established) && _connections.Count < MostConnections)
        {
            _connections[established] = new(local, remote, null);
        }
        else if (e is { Kind: MptcpEventKind.Closed, Token: { } ended } && _connections.Remove(ended, out was))
        {
            // The kernel tells the token only.
            (local, remote) = (was.Local, was.Remote);
        }

        if (!MayKeep())
        {
            _skipped++;
            return;
        }

        TellSkipped();
        record(New(kind) with
        {
            Token = e.Token,
            Interface = device,
            Local = local,
            Remote = remote,
            AddressId = e.Kind is MptcpEventKind.Announced or MptcpEventKind.Removed ? e.RemoteId : e.LocalId,
            Backup = e.Backup,
            Error = e.Error,
            ResetReason = (int?)e.ResetReason,
            BytesSent = was?.Sent,
            BytesReceived = was?.Received,
            Lasted = was?.Begun is { } begun ? time.GetElapsedTime(begun) : null,
        });
    }

    private bool MayKeep()
    {
        var now = time.GetTimestamp();
        _budget = Math.Min(MostAtOnce, _budget + (time.GetElapsedTime(_budgetAt, now).TotalSeconds * MostPerSecond));
        _budgetAt = now;
        if (_budget < 1)
        {
            return false;
        }

        _budget--;
        return true;
    }

    // One row for all that were left out since the last one that was kept.
    private void TellSkipped()
    {
        if (_skipped > 0)
        {
            record(New(HistoryEventKind.Skipped) with { Count = _skipped });
            _skipped = 0;
        }
    }

    /// <summary>Whether the address is new.</summary>
    private bool Know(AddressReading address)
    {
        _owners[address.Prefix.Address] = address.InterfaceIndex;
        return _prefixes.Add((address.InterfaceIndex, address.Prefix));
    }

    private string? NameOf(int index) => _links.TryGetValue(index, out var link) ? link.Name : null;

    private HistoryEvent New(string kind) => new() { Scope = gateway, At = time.GetUtcNow(), Kind = kind };

    /// <param name="local">Local address and port.</param>
    /// <param name="remote">The peer's.</param>
    /// <param name="begun">Monotonic time of its begin; null when that was not heard.</param>
    private sealed class Connection(string? local, string? remote, long? begun)
    {
        public string? Local => local;

        public string? Remote => remote;

        public long? Begun => begun;

        public long? Sent { get; set; }

        public long? Received { get; set; }
    }
}
