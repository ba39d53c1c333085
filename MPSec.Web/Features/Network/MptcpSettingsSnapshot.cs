using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using MPSec.Linux.Gateways;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Which MPTCP a kernel has.</summary>
public enum MptcpKernelKind
{
    /// <summary>None.</summary>
    None,

    /// <summary>Its own (Linux 5.6 and newer, protocol version 1).</summary>
    InTree,

    /// <summary>That of multipath-tcp.org (v0.9x, protocol version 0).</summary>
    OutOfTree,
}

/// <summary>A setting as it is on one gateway.</summary>
/// <param name="Name">Dotted name.</param>
/// <param name="Known">What MPSec knows about it; null for a name that only the kernel knows.</param>
/// <param name="Value">Its value; null when it is missing or may not be read.</param>
/// <param name="IsPresent">Whether this kernel has it.</param>
/// <param name="IsWritable">Whether this kernel offers it for writing here.</param>
public sealed record MptcpSettingState(string Name, MptcpSetting? Known, string? Value, bool IsPresent, bool IsWritable)
{
    /// <summary>Names that this kernel offers for it.</summary>
    public ImmutableArray<string> Choices { get; init; } = [];

    /// <summary>Those of <see cref="Choices"/> that the initial namespace does not allow this gateway.</summary>
    public ImmutableArray<string> Barred { get; init; } = [];

    /// <summary>Where it stands on the page.</summary>
    public MptcpSettingGroup Group => Known?.Group ?? MptcpSettingGroup.Advanced;

    /// <summary>Whether its value differs from the kernel's default; null when it has none.</summary>
    public bool? IsChanged => Known?.Default is { } usual && Value is not null ? Value != usual : null;
}

/// <summary>An address of the gateway that an endpoint may have.</summary>
/// <param name="Address">The address.</param>
/// <param name="Link">Name of its interface.</param>
/// <param name="IsPath">The interface is up and a default route leaves by it: a way out.</param>
public sealed record MptcpLocalAddress(IPAddress Address, string Link, bool IsPath);

/// <summary>How large the receive buffer must be so that the slowest path does not hold up the others (RFC 6182, section 5.3).</summary>
/// <param name="SumBitsPerSecond">Sum of the paths' rates.</param>
/// <param name="LeastRttMs">Smallest round-trip time of a path.</param>
/// <param name="MostRttMs">Largest one.</param>
public sealed record MptcpBufferAdvice(double SumBitsPerSecond, double LeastRttMs, double MostRttMs)
{
    /// <summary>Bytes that wait for the slowest path: rate sum times RTT spread.</summary>
    public long ReorderBytes => (long)(SumBitsPerSecond / 8 * (MostRttMs - LeastRttMs) / 1000);

    /// <summary>Largest receive buffer to allow: twice what is on its way in the longest round trip.</summary>
    public long Bytes => (long)(2 * SumBitsPerSecond / 8 * MostRttMs / 1000);
}

/// <summary>Everything about a gateway's MPTCP settings at one instant.</summary>
public sealed record MptcpSettingsSnapshot
{
    /// <summary>The gateway.</summary>
    public required GatewayName Gateway { get; init; }

    /// <summary>Which MPTCP the kernel has.</summary>
    public required MptcpKernelKind Kind { get; init; }

    /// <summary>Release of the kernel; null when unknown.</summary>
    public string? KernelRelease { get; init; }

    /// <summary>Every setting: those of the catalogue, missing ones too, and what else the kernel lists.</summary>
    public required ImmutableArray<MptcpSettingState> Settings { get; init; }

    /// <summary>Endpoints by id, without those that the kernel made itself.</summary>
    public ImmutableArray<MptcpEndpoint> Endpoints { get; init; } = [];

    /// <summary>Limits; null on a kernel without an in-kernel path manager.</summary>
    public MptcpLimits? Limits { get; init; }

    /// <summary>Interfaces.</summary>
    public ImmutableArray<LinkReading> Links { get; init; } = [];

    /// <summary>Addresses that an endpoint may have.</summary>
    public ImmutableArray<MptcpLocalAddress> Addresses { get; init; } = [];

    /// <summary>Address of the path that connections begin with; null without a path.</summary>
    public IPAddress? Primary { get; init; }

    /// <summary>Smallest round-trip time of each path in milliseconds, by interface; a path without a subflow has none.</summary>
    public ImmutableDictionary<string, double> RttMs { get; init; } = ImmutableDictionary<string, double>.Empty;

    /// <summary>Receive buffer; null while fewer than two paths were measured.</summary>
    public MptcpBufferAdvice? Buffer { get; init; }

    /// <summary>Other programs of this namespace that manage endpoints.</summary>
    public ImmutableArray<string> Owners { get; init; } = [];

    /// <summary>Whether a program accepts MPTCP connections here.</summary>
    public bool IsListening { get; init; }

    /// <summary>What could not be read.</summary>
    public ImmutableArray<ReadingFault> Faults { get; init; } = [];

    /// <summary>The setting of this name; null when neither catalogue nor kernel has it.</summary>
    public MptcpSettingState? Find(string name) => Settings.FirstOrDefault(s => s.Name == name);

    /// <summary>The value of a setting; null when it is missing.</summary>
    public string? ValueOf(string name) => Find(name)?.Value;

    /// <summary>Whether a program outside the kernel decides about subflows.</summary>
    public bool IsUserspace => ValueOf("net.mptcp.path_manager") is { } name ? name == "userspace" : ValueOf("net.mptcp.pm_type") == "1";

    /// <summary>Whether the kernel is at least this version; true when its release cannot be told.</summary>
    public bool HasKernel(int major, int minor)
    {
        var parts = (KernelRelease ?? "").Split('.', '-');
        return parts.Length < 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var a) || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var b)
            || a > major || (a == major && b >= minor);
    }

    /// <summary>Name of an interface by its index.</summary>
    public string? LinkName(int? index) => Links.FirstOrDefault(l => l.Index == index)?.Name;

    /// <summary>Puts together what was read.</summary>
    /// <param name="reading">Links, addresses, routes, qdiscs, endpoints, limits, connections with listeners, subflows.</param>
    /// <param name="entries">All of <c>net.mptcp</c>, and the settings of TCP that the catalogue names.</param>
    /// <param name="owners">Other programs that manage endpoints.</param>
    /// <param name="release">Release of the kernel.</param>
    public static MptcpSettingsSnapshot Of(GatewayReading reading, IReadOnlyList<SysctlEntry> entries, IReadOnlyList<string> owners, string? release)
    {
        ArgumentNullException.ThrowIfNull(reading);
        ArgumentNullException.ThrowIfNull(entries);
        var paths = new MptcpPathFacts(reading);
        var control = IMptcpControl.For(entries);
        return new()
        {
            Gateway = reading.Gateway,
            Kind = control.Kind,
            KernelRelease = release,
            Settings = States(control, entries, reading.Gateway),
            Endpoints = [.. reading.Endpoints.Where(e => !e.Flags.HasFlag(MptcpEndpointFlags.Implicit))],
            Limits = reading.Limits,
            Links = reading.Links,
            Addresses = paths.Addresses,
            Primary = paths.Primary,
            RttMs = paths.RttMs,
            Buffer = paths.Buffer,
            Owners = [.. owners],
            IsListening = reading.Connections.Any(c => c.State == 10),
            Faults = reading.Faults,
        };
    }

    private static ImmutableArray<MptcpSettingState> States(IMptcpControl control, IReadOnlyList<SysctlEntry> entries, GatewayName gateway)
    {
        var found = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        var known = control.Known.Select(k => found.TryGetValue(k.Name, out var e) ? State(e, k) : new(k.Name, k, null, false, false));
        var others = entries.Where(e => !control.Known.Any(k => k.Name == e.Name)).OrderBy(e => e.Name, StringComparer.Ordinal).Select(e => State(e, null));
        return [.. known, .. others];

        MptcpSettingState State(SysctlEntry entry, MptcpSetting? about)
        {
            var offered = about?.ChoicesFrom is { } from ? Words(from) : about?.Choices ?? [];
            // Only the initial namespace may take a congestion control that is not on the list (net/ipv4/tcp_cong.c).
            ImmutableArray<string> barred = about?.Name == MptcpSettingCatalogue.CongestionControl && !gateway.IsHost && found.ContainsKey(MptcpSettingCatalogue.AllowedCongestionControls)
                ? [.. offered.Except(Words(MptcpSettingCatalogue.AllowedCongestionControls))]
                : [];
            return new(entry.Name, about, entry.Value, true, entry.IsWritable && about?.IsReadOnly != true) { Choices = offered, Barred = barred };
        }

        ImmutableArray<string> Words(string name) => found.GetValueOrDefault(name)?.Value is { } list ? [.. list.Split(' ', StringSplitOptions.RemoveEmptyEntries)] : [];
    }
}
