using System.Globalization;
using System.Net;
using System.Text.Json.Serialization;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// Shapes what leaves an interface with a token bucket filter (tc-tbf(8)), and delays it with tc-netem(8) when <paramref name="Delay"/> is given.
/// </summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface.</param>
/// <param name="RateBitsPerSecond">Rate on the wire, with Ethernet headers: 8 kbit/s to 100 Gbit/s.</param>
/// <param name="BurstBytes">Bucket size, 1,600 bytes to 16 MiB.</param>
/// <param name="LimitBytes">Bytes that may wait, the bucket included; more is dropped.</param>
/// <param name="Delay">One-way delay added to every packet; zero needs no netem.</param>
[method: JsonConstructor]
public sealed record SetShaper(GatewayName Gateway, InterfaceName Interface, long RateBitsPerSecond, uint BurstBytes, uint LimitBytes, TimeSpan Delay)
    : HostOperation(Gateway)
{
    /// <summary>Shapes without delay. A constructor of its own: the description of the API cannot write a default time.</summary>
    public SetShaper(GatewayName gateway, InterfaceName @interface, long rateBitsPerSecond, uint burstBytes, uint limitBytes)
        : this(gateway, @interface, rateBitsPerSecond, burstBytes, limitBytes, TimeSpan.Zero)
    {
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Command =>
        Tool("tc", "qdisc", "replace", "dev", Interface.Value, "root", "handle", "1:", "tbf", "rate", $"{RateBitsPerSecond}bit", "burst", $"{BurstBytes}b", "limit", $"{LimitBytes}b");

    /// <summary>The command that adds the delay; null without one.</summary>
    public IReadOnlyList<string>? DelayCommand => Delay == TimeSpan.Zero
        ? null
        : Tool("tc", "qdisc", "replace", "dev", Interface.Value, "parent", "1:1", "netem", "delay", string.Create(CultureInfo.InvariantCulture, $"{Delay.TotalMicroseconds:0}us"));

    /// <inheritdoc/>
    public override IReadOnlyList<IReadOnlyList<string>> Commands => DelayCommand is { } delay ? [Command, delay] : [Command];

    /// <summary>
    /// A shaper for a path: a bucket of 10 ms (at least 10 full frames) and a queue of <paramref name="buffer"/> at the rate.
    /// The bucket bridges a late timer of the kernel on a busy machine; a smaller one loses rate, a larger one shows as bursts.
    /// </summary>
    public static SetShaper ForPath(GatewayName gateway, InterfaceName name, long rateBitsPerSecond, TimeSpan buffer, TimeSpan delay)
    {
        var burst = (uint)Math.Clamp(rateBitsPerSecond / 8 * 10 / 1000, 10 * 1514, 4 << 20);
        var waiting = rateBitsPerSecond / 8.0 * buffer.TotalSeconds;
        return new(gateway, name, rateBitsPerSecond, burst, (uint)Math.Clamp(waiting + burst, burst + 1600, uint.MaxValue), delay);
    }

    /// <inheritdoc/>
    public override void Validate()
    {
        Require(RateBitsPerSecond is >= 8_000 and <= 100_000_000_000, "shaper rate: must be 8 kbit/s to 100 Gbit/s");
        Require(BurstBytes is >= 1600 and <= 16 << 20, "shaper burst: must be 1,600 bytes to 16 MiB");
        Require(LimitBytes >= BurstBytes, "shaper limit: must not be smaller than the burst");
        Require(Delay >= TimeSpan.Zero && Delay <= TimeSpan.FromSeconds(10), "shaper delay: must be 0 to 10 s");
    }
}

/// <summary>Takes the token bucket filter from an interface; the kernel's default queue comes back.</summary>
/// <param name="Gateway">Gateway of the interface.</param>
/// <param name="Interface">The interface.</param>
public sealed record RemoveShaper(GatewayName Gateway, InterfaceName Interface) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("tc", "qdisc", "del", "dev", Interface.Value, "root");
}

/// <summary>Adds an MPTCP endpoint of the in-kernel path manager.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Id">1 to 255.</param>
/// <param name="Address">Local address.</param>
/// <param name="Flags">Signal, subflow, backup, fullmesh; signal and fullmesh exclude each other.</param>
/// <param name="Interface">Interface to bind to; null for none.</param>
/// <param name="Port">Port to announce, with signal only; 0 for none.</param>
public sealed record AddEndpoint(GatewayName Gateway, byte Id, IPAddress Address, MptcpEndpointFlags Flags, InterfaceName? Interface = null, ushort Port = 0)
    : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command =>
        Tool("ip", ["mptcp", "endpoint", "add", Address.ToString(), .. Interface is { } name ? (string[])["dev", name.Value] : [], "id", $"{Id}",
            .. Port == 0 ? (string[])[] : ["port", $"{Port}"], .. FlagWords()]);

    /// <inheritdoc/>
    public override void Validate()
    {
        const MptcpEndpointFlags Both = MptcpEndpointFlags.Signal | MptcpEndpointFlags.Fullmesh;
        Require(Id > 0, "endpoint id: must be 1 to 255");
        Require((Flags & Both) != Both, "endpoint flags: signal and fullmesh exclude each other");
        Require((Flags & MptcpEndpointFlags.Implicit) == 0, "endpoint flags: implicit endpoints are made by the kernel only");
        Require(Port == 0 || (Flags & MptcpEndpointFlags.Signal) != 0, "endpoint port: needs the flag signal");
    }

    private string[] FlagWords() => [.. Enum.GetValues<MptcpEndpointFlags>().Where(f => f != 0 && Flags.HasFlag(f)).Select(f => f.ToString().ToLowerInvariant())];
}

/// <summary>Removes an MPTCP endpoint; the peer hears that the address is gone and its subflows close.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Id">Its id.</param>
/// <param name="Address">Its address: nothing is removed when the id belongs to another one by now.</param>
public sealed record RemoveEndpoint(GatewayName Gateway, byte Id, IPAddress Address) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "mptcp", "endpoint", "delete", "id", $"{Id}");
}

/// <summary>Changes what may be changed of an MPTCP endpoint while connections use it.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Id">Its id.</param>
/// <param name="Address">Its address: nothing is changed when the id belongs to another one by now.</param>
/// <param name="Backup">Subflows of it carry only when no other does.</param>
/// <param name="Fullmesh">Subflows from it to every address of the peer; never together with signal.</param>
public sealed record SetEndpointFlags(GatewayName Gateway, byte Id, IPAddress Address, bool Backup, bool Fullmesh) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "mptcp", "endpoint", "change", "id", $"{Id}", Backup ? "backup" : "nobackup", Fullmesh ? "fullmesh" : "nofullmesh");

    /// <inheritdoc/>
    public override void Validate() => Require(Id > 0, "endpoint id: must be 1 to 255");
}

/// <summary>Sets the limits of the in-kernel path manager.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Subflows">Additional subflows per connection, 0 to 8.</param>
/// <param name="AddAddrAccepted">Announced addresses taken per connection, 0 to 8.</param>
public sealed record SetMptcpLimits(GatewayName Gateway, uint Subflows, uint AddAddrAccepted) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command => Tool("ip", "mptcp", "limits", "set", "subflows", $"{Subflows}", "add_addr_accepted", $"{AddAddrAccepted}");

    /// <inheritdoc/>
    public override void Validate() => Require(Subflows <= 8 && AddAddrAccepted <= 8, "MPTCP limits: must be 0 to 8 each");
}

/// <summary>Writes a kernel setting of a gateway.</summary>
/// <param name="Gateway">The gateway.</param>
/// <param name="Key">Its name below <c>net.</c>.</param>
/// <param name="Value">The value as one line, at most 1,000 printable ASCII characters.</param>
public sealed record WriteSysctl(GatewayName Gateway, SysctlKey Key, string Value) : HostOperation(Gateway)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Command =>
        [.. Gateway.IsHost ? (string[])[] : ["ip", "netns", "exec", Gateway.Value], "sysctl", "-w", $"{Key}={Value}"];

    /// <inheritdoc/>
    public override void Validate() =>
        Require(Value is { Length: > 0 and <= 1000 } && Value.All(c => c is >= ' ' and <= '~' or '\t'), $"setting {Key}: the value must be one line of 1 to 1,000 printable characters");
}
