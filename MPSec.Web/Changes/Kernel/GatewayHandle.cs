using System.Collections.Immutable;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>One gateway opened for one operation: its netlink sockets and what they read. Not thread-safe.</summary>
internal sealed class GatewayHandle(GatewayName gateway) : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private NetlinkConversation? _route;
    private NetlinkConversation? _generic;
    private ushort? _pathManager;

    public GatewayName Name => gateway;

    public NetlinkConversation Route => _route ??= new(NetlinkSocket.Open(gateway, NetlinkSocket.Route, s_patience));

    public NetlinkConversation Generic => _generic ??= new(NetlinkSocket.Open(gateway, NetlinkSocket.Generic, s_patience));

    public ushort PathManager => _pathManager ??= GenericNetlinkFamily.Find(Generic, MptcpPmReader.FamilyName)?.Id
        ?? throw new ChangeException(ChangeFault.NotAvailable, $"gateway {gateway}: this kernel has no MPTCP (CONFIG_MPTCP, Linux 5.6 or newer)");

    public ImmutableArray<LinkReading> Links => new RtnetlinkReader(Route).ReadLinks();

    public ImmutableArray<AddressReading> Addresses => new RtnetlinkReader(Route).ReadAddresses();

    public ImmutableArray<RouteReading> Routes => new RtnetlinkReader(Route).ReadRoutes();

    public ImmutableArray<RuleReading> Rules => new RtnetlinkReader(Route).ReadRules();

    public ImmutableArray<MptcpEndpoint> Endpoints => PathManager == 0 ? [] : new MptcpPmReader(Generic).ReadEndpoints();

    public MptcpLimits? Limits => PathManager == 0 ? null : new MptcpPmReader(Generic).ReadLimits();

    /// <summary>The interface of this name; null when there is none.</summary>
    public LinkReading? FindLink(InterfaceName name) => Links.FirstOrDefault(l => l.Name == name.Value);

    /// <exception cref="ChangeException">There is no such interface.</exception>
    public LinkReading Link(InterfaceName name) =>
        FindLink(name) ?? throw new ChangeException(ChangeFault.NotFound, $"gateway {gateway}: there is no interface {name}");

    public RootQdisc? ReadRootQdisc(int interfaceIndex)
    {
        RootQdisc? found = null;
        LinkMessages.RootQdisc(Route.Begin(LinkMessages.GetQdisc, NetlinkWriter.Dump), interfaceIndex);
        Route.Dump((_, payload) => found = LinkMessages.DecodeRoot(payload, interfaceIndex) ?? found, () => found = null);
        return found;
    }

    /// <summary>Reads a setting; white space between its numbers becomes one space.</summary>
    /// <exception cref="ChangeException">This kernel does not have it.</exception>
    public string ReadSysctl(SysctlKey key) => NamespaceThread.Run(gateway, () =>
    {
        try
        {
            return string.Join(' ', File.ReadAllText(SysctlFile(key)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ChangeException(ChangeFault.NotFound, $"gateway {gateway}: this kernel has no setting {key}", e);
        }
    });

    /// <exception cref="ChangeException">This kernel does not have the setting, or refuses the value.</exception>
    public void WriteSysctl(SysctlKey key, string value) => NamespaceThread.Run(gateway, () =>
    {
        FileStream file;
        try
        {
            file = new FileStream(SysctlFile(key), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ChangeException(ChangeFault.NotFound, $"gateway {gateway}: this kernel has no setting {key}", e);
        }

        using (file)
        {
            try
            {
                file.Write(System.Text.Encoding.ASCII.GetBytes(value));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new ChangeException(ChangeFault.Refused, $"gateway {gateway}: the kernel refuses {key}={value}, {Reason(e)}", e);
            }
        }
    });

    public void Dispose()
    {
        _route?.Dispose();
        _generic?.Dispose();
    }

    private static string Reason(Exception refusal) => ((refusal.InnerException?.HResult ?? refusal.HResult) & 0xffff) switch
    {
        1 => "this namespace may not choose it (EPERM)",
        2 => "it knows nothing of this name (ENOENT)",
        16 => "it is in use (EBUSY)",
        22 => "the value is out of its range (EINVAL)",
        var other => $"{refusal.Message} (error {other})",
    };

    private static string SysctlFile(SysctlKey key) => Path.Combine("/proc/sys", key.RelativePath);
}
