namespace MPSec.Hosting.Bench;

/// <summary>A number of dashboards, measured for a while.</summary>
/// <param name="Dashboards">How many.</param>
/// <param name="CpuPercent">Processor time of the server, sampling included, percent of one core.</param>
/// <param name="ManagedBytes">Objects of the server after everything that is garbage was collected.</param>
/// <param name="ResidentBytes">Memory that the server holds.</param>
/// <param name="RendersPerSecond">Changes of the page per dashboard.</param>
/// <param name="BytesPerSecond">Bytes on the wire per dashboard.</param>
/// <param name="BytesPerChartTick">Bytes of one chart in one tick; null when no chart got any.</param>
/// <param name="Load">Load average of the machine at its begin.</param>
public sealed record DashboardsRound(
    int Dashboards, double CpuPercent, double ManagedBytes, double ResidentBytes, double RendersPerSecond, double BytesPerSecond, double? BytesPerChartTick, double Load);

/// <summary>What <see cref="DashboardsBench"/> found.</summary>
public sealed record DashboardsReport
{
    /// <summary>Dashboards of the second round.</summary>
    public required int Dashboards { get; init; }

    /// <summary>Length of a round, s.</summary>
    public required int Seconds { get; init; }

    /// <summary>With one dashboard.</summary>
    public required DashboardsRound One { get; init; }

    /// <summary>With all of them.</summary>
    public required DashboardsRound Many { get; init; }

    /// <summary>From the kernel to a frame of Chromium, s; null when no Chromium is installed.</summary>
    public required IReadOnlyList<double>? LatencySeconds { get; init; }

    /// <summary>Processor time of all as a multiple of that of one.</summary>
    public double CpuRatio => Many.CpuPercent / One.CpuPercent;

    /// <summary>Objects that a dashboard more needs, MiB.</summary>
    public double MiBPerDashboard => (Many.ManagedBytes - One.ManagedBytes) / (Many.Dashboards - One.Dashboards) / 1048576;

    /// <summary>Memory that the server holds for a dashboard more, MiB; with what the collector keeps for the next objects.</summary>
    public double ResidentMiBPerDashboard => (Many.ResidentBytes - One.ResidentBytes) / (Many.Dashboards - One.Dashboards) / 1048576;

    /// <summary>95th percentile of <see cref="LatencySeconds"/>; null when it was not measured.</summary>
    public double? LatencyP95 => LatencySeconds is { Count: > 0 } all ? all.Order().ElementAt((int)Math.Ceiling(all.Count * 0.95) - 1) : null;

    /// <summary>Median of <see cref="LatencySeconds"/>; null when it was not measured.</summary>
    public double? LatencyMedian => LatencySeconds is { Count: > 0 } all ? all.Order().ElementAt(all.Count / 2) : null;

    /// <summary>The bar of processor time, which is for 50 dashboards.</summary>
    public bool CpuHolds => CpuRatio <= DashboardsBench.CpuBar * Math.Max(1, (double)Dashboards / DashboardsBench.BarDashboards);

    /// <summary>The bar of memory.</summary>
    public bool MemoryHolds => MiBPerDashboard <= DashboardsBench.MemoryBar;

    /// <summary>The bar of bytes.</summary>
    public bool BytesHold => Many.BytesPerChartTick <= DashboardsBench.ChartBar;

    /// <summary>The bar of latency; what was not measured does not fail.</summary>
    public bool LatencyHolds => LatencyP95 is null or <= DashboardsBench.LatencyBar;

    /// <summary>All bars.</summary>
    public bool Passed => CpuHolds && MemoryHolds && BytesHold && LatencyHolds;
}
