using MPSec.Linux.Gateways;

namespace MPSec.Features.Network;

/// <summary>What the MPTCP part must hold.</summary>
internal static class NetworkMptcpFaults
{
    private const int MostSubflows = 8;

    public static IEnumerable<NetworkDocumentFault> Of(NetworkDocument document)
    {
        if (document.Mptcp is not { } mptcp)
        {
            yield break;
        }

        if (mptcp.Subflows is > 8 || mptcp.AddAddrAccepted is > 8)
        {
            yield return Fault("subflows", "mptcp: limits must be 0 to 8");
        }

        if (mptcp.Subflows is null != mptcp.AddAddrAccepted is null)
        {
            yield return Fault("subflows", "mptcp: give both subflows and addAddrAccepted, or neither");
        }

        if (mptcp.Endpoints.IsDefault || mptcp.Endpoints.Any(e => e is null))
        {
            yield return Fault("endpoints", "mptcp: endpoints must be a list without null");
            yield break;
        }

        foreach (var endpoint in mptcp.Endpoints)
        {
            if (EndpointFault(document, endpoint) is { } sentence)
            {
                yield return Fault("endpoints", $"mptcp: endpoint {endpoint.Id}{sentence}");
            }
        }

        if (mptcp.Endpoints.GroupBy(e => e.Id).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            yield return Fault("endpoints", $"mptcp: endpoint id {twice.Key} occurs more than once; give each its own");
        }

        if (mptcp.Endpoints.Where(e => e.Address is not null).GroupBy(e => e.Address).FirstOrDefault(g => g.Count() > 1) is { } same)
        {
            yield return Fault("endpoints", $"mptcp: endpoint address {same.Key} occurs more than once; one endpoint can have several flags");
        }

        if (mptcp.Endpoints.Count(e => !e.Flags.IsDefault && e.Flags.Contains(MptcpEndpointFlags.Subflow)) is > MostSubflows and var many)
        {
            yield return Fault("endpoints", $"mptcp: {many} endpoints have the flag subflow, and the kernel takes {MostSubflows}; take it from some");
        }
    }

    private static NetworkDocumentFault Fault(string field, string sentence) => new(null, field, sentence);

    private static string? EndpointFault(NetworkDocument document, NetworkDocumentEndpoint endpoint) => endpoint switch
    {
        { Id: 0 } => ": an endpoint's id must be 1 to 255",
        { Address: null } => ": address must not be null",
        { Flags.IsDefaultOrEmpty: true } => " needs flags, such as [\"signal\"]",
        _ when endpoint.Flags.Any(f => f is MptcpEndpointFlags.None or MptcpEndpointFlags.Implicit || !Enum.IsDefined(f)) => ": flags must be of signal, subflow, backup, fullmesh, laminar",
        _ when endpoint.Flags.Distinct().Count() != endpoint.Flags.Length => ": a flag is there twice; take one out",
        _ when NetworkPathFaults.Kind(endpoint.Address) is { } kind => $": address {endpoint.Address} is {kind}; name an address of the gateway",
        { Address.IsIPv6LinkLocal: true } => $": address {endpoint.Address} is link-local, which no other network reaches; name a global one",
        { Port: 0 } => ": port must be 1 to 65535; leave it out for none",
        { Port: not null } when !endpoint.Flags.Contains(MptcpEndpointFlags.Signal) => ": a port needs the flag signal",
        _ when endpoint.Flags.Contains(MptcpEndpointFlags.Signal) && endpoint.Flags.Contains(MptcpEndpointFlags.Fullmesh) => ": signal and fullmesh exclude each other",
        { Interface: { } device } when document.FindPath(endpoint.Address) is { } path && path.Interface != device => $": interface {device} does not have {endpoint.Address}, path {path.Interface} has it; correct one of the two",
        _ => null,
    };
}
