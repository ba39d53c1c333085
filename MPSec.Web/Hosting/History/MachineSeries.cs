using MPSec.Features.SystemStatus;
using MPSec.Live;

namespace MPSec.Hosting.History;

/// <summary>What history keeps of the machine, beside the figures of its gateway <c>host</c>.</summary>
public sealed class MachineSeries : ISeriesSource<MachineSnapshot>
{
    /// <inheritdoc/>
    public void Collect(MachineSnapshot snapshot, SeriesSet into)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(into);
        var reading = snapshot.Reading;
        into.Add("machine/cpu", snapshot.Cpu?.Busy);
        into.Add("machine/cpu-system", snapshot.Cpu?.System);
        into.Add("machine/cpu-wait", snapshot.Cpu?.IoWait);
        into.Add("machine/cpu-steal", snapshot.Cpu?.Steal);
        foreach (var processor in snapshot.Processors)
        {
            into.Add($"machine/cpu/{processor.Number}", processor.Busy);
        }

        into.Add("machine/load", reading.Load?.One);
        into.Add("machine/tasks", reading.Load?.Tasks);
        into.Add("machine/memory", MachinePoint.Percent(reading.Memory?.Used, reading.Memory?.Total));
        into.Add("machine/memory-used", reading.Memory?.Used);
        into.Add("machine/swap-used", reading.Memory is { SwapTotal: > 0 } m ? m.SwapTotal - m.SwapFree : null);
        foreach (var files in reading.FileSystems)
        {
            into.Add($"machine/disk{files.MountPoint.TrimEnd('/')}/full", files.FullPercent);
        }

        foreach (var disk in snapshot.Disks)
        {
            into.Add($"machine/device/{disk.Name}/busy", disk.BusyPercent);
        }

        foreach (var sensor in reading.Temperatures)
        {
            into.Add($"machine/temperature/{sensor.Name}", sensor.Celsius);
        }
    }
}
