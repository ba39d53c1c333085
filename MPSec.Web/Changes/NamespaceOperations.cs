using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// Makes a named network namespace, as <c>ip netns add</c> does. <paramref name="Marker"/> is written as the alias of its loopback interface before the
/// namespace gets its name, so that MPSec can always tell a namespace of its own from one that somebody else gave the same name.
/// </summary>
/// <param name="Gateway">Name of the new gateway.</param>
/// <param name="Marker"><c>mpsec:</c> and 32 hexadecimal digits.</param>
public sealed record CreateNamespace(GatewayName Gateway, string Marker) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => ["ip", "netns", "add", Gateway.Value];

    /// <summary>A marker that no other namespace has.</summary>
    public static string NewMarker() => $"mpsec:{Guid.NewGuid():N}";

    /// <inheritdoc/>
    public override void Validate() => RequireMarker(Gateway, Marker);

    internal static void RequireMarker(GatewayName gateway, string marker)
    {
        Require(!gateway.IsHost, "gateway: the host is no namespace that MPSec may make or delete");
        Require(marker is { Length: 38 } && marker.StartsWith("mpsec:", StringComparison.Ordinal) && marker.Skip(6).All(char.IsAsciiHexDigitLower),
            "marker: must be mpsec: and 32 hexadecimal digits");
    }
}

/// <summary>Deletes a namespace that carries <paramref name="Marker"/>, with everything in it. There is no inverse.</summary>
/// <param name="Gateway">Name of the gateway.</param>
/// <param name="Marker">The marker it was made with; a namespace without it is left alone.</param>
public sealed record DeleteNamespace(GatewayName Gateway, string Marker) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => ["ip", "netns", "del", Gateway.Value];

    /// <inheritdoc/>
    public override void Validate() => CreateNamespace.RequireMarker(Gateway, Marker);
}

/// <summary>Joins two gateways by a pair of virtual Ethernet interfaces (veth(4)); each end begins in its gateway, down.</summary>
/// <param name="Gateway">Gateway of the first end.</param>
/// <param name="Interface">Name of the first end.</param>
/// <param name="PeerGateway">Gateway of the second end.</param>
/// <param name="PeerInterface">Name of the second end.</param>
public sealed record AddVethPair(GatewayName Gateway, InterfaceName Interface, GatewayName PeerGateway, InterfaceName PeerInterface) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<GatewayName> Gateways => [Gateway, PeerGateway];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Command =>
    [
        "ip", "link", "add", Interface.Value, .. Gateway.IsHost ? (string[])[] : ["netns", Gateway.Value],
        "type", "veth", "peer", "name", PeerInterface.Value, .. PeerGateway.IsHost ? (string[])[] : ["netns", PeerGateway.Value],
    ];

    /// <inheritdoc/>
    public override void Validate() => Require(Gateway != PeerGateway || Interface != PeerInterface, "interface: both ends of a veth pair would have the same name");
}

/// <summary>Deletes a veth pair; the other end goes with it. Its inverse makes the pair and its configuration again, with new hardware addresses.</summary>
/// <param name="Gateway">Gateway of the first end.</param>
/// <param name="Interface">Name of the first end.</param>
/// <param name="PeerGateway">Gateway of the second end.</param>
/// <param name="PeerInterface">Name of the second end.</param>
public sealed record DeleteVethPair(GatewayName Gateway, InterfaceName Interface, GatewayName PeerGateway, InterfaceName PeerInterface) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<GatewayName> Gateways => [Gateway, PeerGateway];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "link", "delete", Interface.Value);
}
