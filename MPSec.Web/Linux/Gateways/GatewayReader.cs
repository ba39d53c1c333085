using System.Collections.Immutable;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Linux.Gateways;

/// <summary>
/// Reads one gateway. Its sockets and files are opened once inside the namespace and used again for each reading. Not thread-safe: one owner,
/// on any thread. Needs no privilege beyond entering the namespace.
/// </summary>
public sealed class GatewayReader : IDisposable
{
    private const int Enoent = 2;
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(5);

    private readonly GatewayName _gateway;
    private readonly Func<int, INetlinkTransport> _open;
    private readonly NamespaceIdentity? _identity;
    private readonly ProcCounters? _counters;
    private readonly SysctlReader _settings;
    private NetlinkConversation? _route;
    private NetlinkConversation? _generic;
    private NetlinkConversation? _diag;
    private RtnetlinkReader? _links;
    private MptcpPmReader? _pathManager;
    private SockDiagReader? _sockets;

    /// <summary>Reads through <paramref name="open"/> (netlink protocol to transport) and files below <paramref name="root"/>.</summary>
    internal GatewayReader(GatewayName gateway, Func<int, INetlinkTransport> open, string root, NamespaceIdentity? identity)
    {
        _gateway = gateway;
        _open = open;
        _identity = identity;
        _settings = new SysctlReader(Path.Combine(root, "sys/net/mptcp"), "net.mptcp.");
        try
        {
            _counters = new ProcCounters(Path.Combine(root, "thread-self/net"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Named as a fault by each reading.
        }
    }

    /// <summary>Opens a reader of <paramref name="gateway"/>.</summary>
    /// <exception cref="NamespaceException">The namespace is gone or may not be entered.</exception>
    public static GatewayReader Open(GatewayName gateway) => NamespaceThread.Run(gateway, () =>
    {
        NamespaceIdentity? identity = gateway.IsHost ? null : NamespaceIdentity.OfThisThread(gateway);
        var reader = new GatewayReader(gateway, protocol => NamespaceThread.Run(gateway, () => OpenHere(protocol)), "/proc", identity);
        try
        {
            reader.Connect(OpenHere);
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    });

    /// <summary>
    /// Reads the parts of <paramref name="scope"/>. A part that fails is empty and named in <see cref="GatewayReading.Faults"/>.
    /// </summary>
    /// <exception cref="NamespaceException">The namespace was deleted, or its name now belongs to another one: open a new reader.</exception>
    public GatewayReading Read(ReadingScope scope = ReadingScope.Usual)
    {
        if (_identity is { } identity && NamespaceIdentity.OfName(_gateway) != identity)
        {
            throw new NamespaceException(_gateway, Enoent);
        }

        var faults = ImmutableArray.CreateBuilder<ReadingFault>();
        TcpSockets? tcp = null;
        var reading = new GatewayReading
        {
            Gateway = _gateway,
            Links = Part(ReadingScope.Links, "links", Routing, static r => r.ReadLinks(), []),
            Addresses = Part(ReadingScope.Addresses, "addresses", Routing, static r => r.ReadAddresses(), []),
            Routes = Part(ReadingScope.Routes, "routes", Routing, static r => r.ReadRoutes(), []),
            Rules = Part(ReadingScope.Rules, "rules", Routing, static r => r.ReadRules(), []),
            Qdiscs = Part(ReadingScope.Qdiscs, "qdiscs", Routing, static r => r.ReadQdiscs(), []),
            Endpoints = Part(ReadingScope.Endpoints, "endpoints", PathManager, static r => r.ReadEndpoints(), []),
            Limits = Part(ReadingScope.Limits, "limits", PathManager, static r => r.ReadLimits(), null),
            MptcpSettings = Part(ReadingScope.Settings, "settings", () => _settings, static s => s.IsPresent ? s.Read() : throw new MptcpMissingException(), NoSettings),
            Connections = Part(ReadingScope.Connections, "connections", Sockets, r => r.ReadConnections((scope & ReadingScope.Listeners) != 0), []),
            Subflows = (tcp = Part(ReadingScope.Subflows, "subflows", Sockets, TcpSockets? (r) => r.ReadTcp(), null))?.Subflows ?? [],
            PlainTcpEstablished = tcp?.PlainEstablished,
            Counters = Part(ReadingScope.Counters, "counters", () => _counters ?? throw new IOException("/proc/net could not be opened"), static c => c.Read(), CounterSet.Empty),
        };
        return faults.Count == 0 ? reading : reading with { Faults = faults.ToImmutable() };

        T Part<TSource, T>(ReadingScope part, string name, Func<TSource> source, Func<TSource, T> read, T empty)
        {
            if ((scope & part) == 0)
            {
                return empty;
            }

            var interrupted = Interrupted();
            try
            {
                var value = read(source());
                if (Interrupted() != interrupted)
                {
                    faults.Add(new(name, 4, "The kernel's list changed during each of several attempts to read it; entries may be missing."));
                }

                return value;
            }
            catch (Exception e) when (e is IOException or FormatException or NotSupportedException or UnauthorizedAccessException)
            {
                faults.Add(new(name, (e as NetlinkException)?.Errno ?? 0, e.Message));
                if (e is NetlinkException or NetlinkFormatException)
                {
                    Disconnect(part);
                }

                return empty;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _route?.Dispose();
        _generic?.Dispose();
        _diag?.Dispose();
        _counters?.Dispose();
        _settings.Dispose();
    }

    private static readonly ImmutableSortedDictionary<string, string> NoSettings = ImmutableSortedDictionary<string, string>.Empty;

    // The calling thread is inside the gateway: what is opened as "host" here is the gateway's.
    private static NetlinkSocket OpenHere(int protocol) => protocol == NetlinkSocket.SockDiag
        // Answers about sockets to CAP_NET_ADMIN carry details of sequence mapping that no record holds; without it they cost a fifth less.
        ? ThreadCapabilities.WithoutNetAdmin(() => NetlinkSocket.Open(GatewayName.Host, protocol, AnswerTime))
        : NetlinkSocket.Open(GatewayName.Host, protocol, AnswerTime);

    private RtnetlinkReader Routing()
    {
        _route ??= new(_open(NetlinkSocket.Route));
        return _links ??= new(_route);
    }

    private MptcpPmReader PathManager()
    {
        _generic ??= new(_open(NetlinkSocket.Generic));
        return _pathManager ??= new(_generic);
    }

    private SockDiagReader Sockets()
    {
        _diag ??= new(_open(NetlinkSocket.SockDiag));
        return _sockets ??= new(_diag);
    }

    private long Interrupted() => (_route?.InterruptedDumps ?? 0) + (_generic?.InterruptedDumps ?? 0) + (_diag?.InterruptedDumps ?? 0);

    private void Connect(Func<int, INetlinkTransport> open)
    {
        _route = new(open(NetlinkSocket.Route));
        _generic = TryOpen(NetlinkSocket.Generic);
        _diag = TryOpen(NetlinkSocket.SockDiag);

        // A kernel may lack these two; each reading then names the fault.
        NetlinkConversation? TryOpen(int protocol)
        {
            try
            {
                return new(open(protocol));
            }
            catch (NetlinkException)
            {
                return null;
            }
        }
    }

    // After a failure half an answer may wait in the socket. The next reading begins with a new one, which is the same namespace: its name was checked.
    private void Disconnect(ReadingScope part)
    {
        switch (part)
        {
            case ReadingScope.Endpoints or ReadingScope.Limits:
                _generic?.Dispose();
                (_generic, _pathManager) = (null, null);
                break;
            case ReadingScope.Connections or ReadingScope.Subflows:
                _diag?.Dispose();
                (_diag, _sockets) = (null, null);
                break;
            default:
                _route?.Dispose();
                (_route, _links) = (null, null);
                break;
        }
    }
}
