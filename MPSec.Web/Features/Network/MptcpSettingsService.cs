using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sysctl;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Where the facts about a gateway's MPTCP come from; tests put recorded ones here.</summary>
public interface IMptcpSettingsSource
{
    /// <summary>Reads them.</summary>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    MptcpSettingsSnapshot Read(GatewayName gateway);
}

/// <summary>Reads them from the kernel; needs no privilege beyond entering the namespace.</summary>
public sealed class KernelMptcpSettings : IMptcpSettingsSource
{
    private const ReadingScope Scope = ReadingScope.Links | ReadingScope.Addresses | ReadingScope.Routes | ReadingScope.Qdiscs | ReadingScope.Endpoints | ReadingScope.Limits
        | ReadingScope.Connections | ReadingScope.Subflows | ReadingScope.Listeners;

    // NetworkManager adds endpoints from version 1.40 on.
    private static readonly string[] s_owners = ["NetworkManager", "mptcpd"];

    /// <inheritdoc/>
    public MptcpSettingsSnapshot Read(GatewayName gateway)
    {
        using var reader = GatewayReader.Open(gateway);
        var reading = reader.Read(Scope);
        var (entries, network) = NamespaceThread.Run(gateway, () => (ReadEntries("/proc/sys"), RunningPrograms.NetworkOfThisThread()));
        return MptcpSettingsSnapshot.Of(reading, entries, RunningPrograms.Find(s_owners, network), KernelRelease.Read());
    }

    /// <summary>Everything below <c>net.mptcp</c>, and what the catalogue names elsewhere.</summary>
    /// <param name="root">For example <c>/proc/sys</c>.</param>
    public static IReadOnlyList<SysctlEntry> ReadEntries(string root) =>
        [.. SysctlFolder.List(root, MptcpSettingCatalogue.Prefix), .. MptcpSettingCatalogue.Tcp.Select(s => SysctlFolder.Find(root, s.Key)).OfType<SysctlEntry>()];
}

/// <summary>MPTCP settings of a gateway: reads them, and makes plans that the door runs.</summary>
public sealed class MptcpSettingsService(IMptcpSettingsSource source)
{
    /// <summary>Settings, endpoints, limits and what matters for them.</summary>
    /// <exception cref="NamespaceException">The gateway is gone or may not be entered.</exception>
    public Task<MptcpSettingsSnapshot> ReadAsync(GatewayName gateway, CancellationToken cancellationToken = default) => Task.Run(() => source.Read(gateway), cancellationToken);

    /// <summary>The preset for this gateway, with what cannot be done here.</summary>
    public static MptcpPresetPlan Preset(MptcpSettingsSnapshot snapshot, MptcpPreset preset, MptcpSide side) => IMptcpControl.For(snapshot).Preset(preset, side, snapshot);

    /// <summary>The side that the gateway seems to be on.</summary>
    public static MptcpSide Side(MptcpSettingsSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return snapshot.IsListening || snapshot.Endpoints.Any(e => e.Flags.HasFlag(MptcpEndpointFlags.Signal)) ? MptcpSide.Accepts
            : snapshot.Endpoints.Any(e => e.Flags.HasFlag(MptcpEndpointFlags.Subflow)) ? MptcpSide.OpensToServer
            : MptcpSide.OpensToGateway;
    }

    /// <summary>Writes settings, all or none.</summary>
    /// <exception cref="ChangeException">A name or value is wrong, or this kernel cannot do it; the sentence says which.</exception>
    public static ChangePlan Write(MptcpSettingsSnapshot snapshot, IReadOnlyDictionary<string, string> values)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count == 0)
        {
            throw new ChangeException(ChangeFault.Invalid, "settings: name at least one, such as {\"net.mptcp.enabled\":\"1\"}");
        }

        var writes = values.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v =>
        {
            var value = Check(snapshot, v.Key, v.Value);
            return new WriteSysctl(snapshot.Gateway, Key(v.Key), value);
        }).ToArray();
        return new()
        {
            TitleCode = "mptcp.setting",
            TitleArguments = [snapshot.Gateway.Value, string.Join(", ", writes.Select(w => $"{w.Key}={w.Value}"))],
            Operations = [.. writes],
            Remarks = values.Keys.Any(name => MptcpSettingCatalogue.Find(name) is { IsForNewConnections: true }) ? ["new-connections-only"] : [],
            Danger = writes.Any(w => (w.Key.Value, w.Value) is ("net.mptcp.enabled", "0") or ("net.mptcp.path_manager", "userspace") or ("net.mptcp.pm_type", "1")) ? ChangeDanger.Medium : ChangeDanger.Low,
            Configuration = new(),
        };
    }

    private static string Check(MptcpSettingsSnapshot snapshot, string name, string value)
    {
        if (snapshot.Find(name) is not { } state)
        {
            throw new ChangeException(ChangeFault.NotFound, $"{name}: is no MPTCP setting of gateway {snapshot.Gateway}");
        }

        if (!state.IsPresent)
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"{name}: this kernel ({snapshot.KernelRelease ?? "unknown"}) does not have it; it came with {state.Known!.Since}");
        }

        var text = state.Known is { } known ? known.Check(value, state.Choices)
            : MptcpSetting.IsPlain(MptcpSetting.Normal(value)) ? MptcpSetting.Normal(value)
            : throw new ChangeException(ChangeFault.Invalid, $"{name}: must be one line of 1 to 1,000 printable ASCII characters");
        if (!state.IsWritable)
        {
            throw new ChangeException(ChangeFault.NotAvailable, $"{name}: this kernel does not let gateway {snapshot.Gateway} write it");
        }

        return !state.Barred.Contains(text) ? text : throw new ChangeException(ChangeFault.NotAvailable,
            $"{name}: {text} is not allowed in namespaces; in the initial one run: sysctl -w {MptcpSettingCatalogue.AllowedCongestionControls}=\"{snapshot.ValueOf(MptcpSettingCatalogue.AllowedCongestionControls)} {text}\"");
    }

    private static SysctlKey Key(string name) => SysctlKey.TryParse(name, out var key, out var error) ? key : throw new ChangeException(ChangeFault.Invalid, error!);
}
