using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// Sets the largest packet that an interface sends. Below 1280 bytes (RFC 8200) the kernel takes IPv6 from the interface, with its addresses, routes and
/// settings; any other size is copied into IPv6 routes that have one of their own. The inverse brings all of it back.
/// </summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface.</param>
/// <param name="Mtu">Bytes, 68 to 65535; the driver may allow less.</param>
public sealed record SetMtu(GatewayName Gateway, InterfaceName Interface, uint Mtu) : HostOperation(Gateway)
{
    /// <summary>RFC 8200: an interface with less has no IPv6.</summary>
    public const uint IPv6Minimum = 1280;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "link", "set", "dev", Interface.Value, "mtu", $"{Mtu}");

    /// <inheritdoc/>
    public override void Validate() => Require(Mtu is >= 68 and <= 65535, "MTU: must be 68 to 65535 bytes");
}

/// <summary>
/// Drops without a word what comes in or goes out by an interface, as a firewall or a dead provider does: the link stays up, its neighbours answer, only IPv4
/// and IPv6 packets vanish, also those that are forwarded. The rules are those of table <c>inet mpsec</c> with the comment <c>mpsec: blocked</c>; no
/// other rule is touched, and the table goes with the last of them.
/// </summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface; the rules hold by name, also for one of this name that comes later.</param>
/// <param name="Blocked">The state wanted.</param>
public sealed record BlockInterface(GatewayName Gateway, InterfaceName Interface, bool Blocked) : HostOperation(Gateway)
{
    /// <summary>Table of family inet that holds the rules.</summary>
    public const string Table = "mpsec";

    /// <summary>Comment by which a rule is known as ours.</summary>
    public const string Comment = "mpsec: blocked";

    /// <summary>Chains and the interface that their rules look at; all have priority raw (-300), before connection tracking.</summary>
    internal static readonly (string Chain, uint Hook, bool IsInput)[] Chains = [("prerouting", 0, true), ("forward", 2, false), ("output", 3, false)];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Blocked
        ? Nft($"add table inet {Table}; {string.Join("; ", Chains.Select(c => $"add chain inet {Table} {c.Chain} {{ type filter hook {c.Chain} priority -300; }}"))}")
        : Nft("-a", "list", "table", "inet", Table);

    /// <inheritdoc/>
    public override IReadOnlyList<IReadOnlyList<string>> Commands =>
        [Command, .. Chains.Select(c => Blocked
            ? Nft($"add rule inet {Table} {c.Chain} {(c.IsInput ? "iifname" : "oifname")} \"{Interface}\" drop comment \"{Comment}\"")
            : Nft("delete", "rule", "inet", Table, c.Chain, "handle", $"HANDLE-OF-{Interface}"))];

    private string[] Nft(params ReadOnlySpan<string> arguments) => [.. Gateway.IsHost ? (string[])[] : ["ip", "netns", "exec", Gateway.Value], "nft", .. arguments];
}
