using System.Collections.Immutable;
using System.Globalization;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>The kernel's own MPTCP: settings below <c>net.mptcp</c>, endpoints and limits of the in-kernel path manager.</summary>
/// <param name="present">False on a kernel without any MPTCP, where everything is shown as missing.</param>
public sealed class MptcpInTreeControl(bool present) : IMptcpControl
{
    // A path whose round trip is longer than this many times the shortest one only waits.
    private const double SlowFactor = 2;
    private const int MostSubflowEndpoints = 8;

    /// <inheritdoc/>
    public MptcpKernelKind Kind => present ? MptcpKernelKind.InTree : MptcpKernelKind.None;

    /// <inheritdoc/>
    public ImmutableArray<MptcpSetting> Known { get; } = [.. MptcpSettingCatalogue.InTree, .. MptcpSettingCatalogue.Tcp];

    /// <inheritdoc/>
    public ImmutableArray<string> LinkCommands(GatewayName gateway, InterfaceName link) => [];

    /// <inheritdoc/>
    public MptcpPresetPlan Preset(MptcpPreset preset, MptcpSide side, MptcpSettingsSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (!present)
        {
            return new(preset, null, [new("no-mptcp")]);
        }

        if (preset == MptcpPreset.LowLatency && snapshot.RttMs.Count < 2)
        {
            return new(preset, null, [new("no-rtt")]);
        }

        var operations = ImmutableArray.CreateBuilder<HostOperation>();
        var remarks = ImmutableArray.CreateBuilder<MptcpRemark>();
        foreach (var (name, value) in Values(preset, snapshot))
        {
            if (snapshot.Find(name) is { IsPresent: true } state && state.Value != value)
            {
                operations.Add(new WriteSysctl(snapshot.Gateway, SysctlKey.Parse(name), value));
            }
        }

        if (snapshot.Limits is { } limits && (limits.Subflows, limits.AddAddrAccepted) != (8, 8))
        {
            operations.Add(new SetMptcpLimits(snapshot.Gateway, 8, 8));
        }

        var paths = snapshot.Addresses.Where(a => a.IsPath).ToList();
        var waiting = Waiting(preset, snapshot, paths);
        Endpoints(preset, side, snapshot, paths, waiting, operations, remarks);
        remarks.AddRange(Limitations(preset, side, snapshot, waiting));
        if (operations.Count == 0)
        {
            remarks.Insert(0, new("already"));
        }

        var plan = new ChangePlan
        {
            TitleCode = "mptcp.preset",
            TitleArguments = [snapshot.Gateway.Value, preset.ToString()],
            Operations = operations.ToImmutable(),
            Danger = ChangeDanger.Medium,
            Configuration = new(),
        };
        return new(preset, plan, remarks.ToImmutable());
    }

    private static IEnumerable<(string Name, string Value)> Values(MptcpPreset preset, MptcpSettingsSnapshot snapshot)
    {
        yield return ("net.mptcp.enabled", "1");
        yield return snapshot.Find("net.mptcp.path_manager") is { IsPresent: true } ? ("net.mptcp.path_manager", "kernel") : ("net.mptcp.pm_type", "0");
        yield return ("net.mptcp.scheduler", "default");
        if (preset == MptcpPreset.Original)
        {
            yield return ("net.mptcp.checksum_enabled", "1");
            yield return ("net.mptcp.syn_retrans_before_tcp_fallback", "3");
        }

        if (preset == MptcpPreset.Aggregate && snapshot.Buffer is { } advice && snapshot.ValueOf(MptcpSettingCatalogue.ReceiveBuffer)?.Split(' ') is [var least, var usual, var most]
            && long.TryParse(most, NumberStyles.None, CultureInfo.InvariantCulture, out var now) && now < advice.Bytes && advice.Bytes <= int.MaxValue)
        {
            yield return (MptcpSettingCatalogue.ReceiveBuffer, $"{least} {usual} {advice.Bytes}");
        }
    }

    private static HashSet<string> Waiting(MptcpPreset preset, MptcpSettingsSnapshot snapshot, List<MptcpLocalAddress> paths) => preset switch
    {
        MptcpPreset.Survive => [.. paths.Where(p => !p.Address.Equals(snapshot.Primary)).Select(p => p.Link).Except(paths.Where(p => p.Address.Equals(snapshot.Primary)).Select(p => p.Link))],
        MptcpPreset.LowLatency => [.. snapshot.RttMs.Where(r => r.Value > SlowFactor * snapshot.RttMs.Values.Min()).Select(r => r.Key)],
        _ => [],
    };

    private static void Endpoints(
        MptcpPreset preset, MptcpSide side, MptcpSettingsSnapshot snapshot, List<MptcpLocalAddress> paths, HashSet<string> waiting,
        ImmutableArray<HostOperation>.Builder operations, ImmutableArray<MptcpRemark>.Builder remarks)
    {
        var isMesh = preset == MptcpPreset.Original && side != MptcpSide.Accepts;
        foreach (var endpoint in snapshot.Endpoints)
        {
            var link = snapshot.Addresses.FirstOrDefault(a => a.Address.Equals(endpoint.Address))?.Link;
            var backup = link is not null && waiting.Contains(link);
            var mesh = isMesh && !endpoint.Flags.HasFlag(MptcpEndpointFlags.Signal);
            if (link is not null && (backup, mesh) != (endpoint.Flags.HasFlag(MptcpEndpointFlags.Backup), endpoint.Flags.HasFlag(MptcpEndpointFlags.Fullmesh)))
            {
                operations.Add(new SetEndpointFlags(snapshot.Gateway, endpoint.Id, endpoint.Address, backup, mesh));
            }
        }

        if (side == MptcpSide.OpensToGateway && !isMesh)
        {
            remarks.Add(new(waiting.Count > 0 ? "backup-there" : "announced-there"));
            return;
        }

        var role = side == MptcpSide.Accepts ? MptcpEndpointFlags.Signal : MptcpEndpointFlags.Subflow | (isMesh ? MptcpEndpointFlags.Fullmesh : 0);
        var used = snapshot.Endpoints.Select(e => e.Id).ToHashSet();
        var room = MostSubflowEndpoints - snapshot.Endpoints.Count(e => e.Flags.HasFlag(MptcpEndpointFlags.Subflow));
        foreach (var path in paths.Where(p => !p.Address.Equals(snapshot.Primary) && !snapshot.Endpoints.Any(e => e.Address.Equals(p.Address))))
        {
            if (room-- <= 0)
            {
                remarks.Add(new("eight"));
                break;
            }

            var id = (byte)Enumerable.Range(1, 255).First(n => used.Add((byte)n));
            operations.Add(new AddEndpoint(snapshot.Gateway, id, path.Address, role | (waiting.Contains(path.Link) ? MptcpEndpointFlags.Backup : 0)));
        }
    }

    private static IEnumerable<MptcpRemark> Limitations(MptcpPreset preset, MptcpSide side, MptcpSettingsSnapshot snapshot, HashSet<string> waiting)
    {
        if (snapshot.Addresses.Where(a => a.IsPath).Select(a => a.Link).Distinct().Count() < 2)
        {
            yield return new("one-path");
        }

        if (snapshot.Owners.Length > 0)
        {
            yield return new("owners", string.Join(", ", snapshot.Owners));
        }

        if (side == MptcpSide.OpensToServer)
        {
            yield return new("one-subnet-each");
        }

        switch (preset)
        {
            case MptcpPreset.Aggregate:
                yield return new("no-coupled", snapshot.ValueOf(MptcpSettingCatalogue.CongestionControl) ?? "-");
                break;
            case MptcpPreset.Survive:
                yield return new("lost-subflows");
                break;
            case MptcpPreset.LowLatency:
                yield return new("no-redundant");
                yield return waiting.Count == 0 ? new("no-slow-path") : new("slow-paths", string.Join(", ", waiting.Order(StringComparer.Ordinal)));
                break;
            default:
                yield return new("no-coupled", snapshot.ValueOf(MptcpSettingCatalogue.CongestionControl) ?? "-");
                yield return new("checksum-cost");
                break;
        }
    }
}
