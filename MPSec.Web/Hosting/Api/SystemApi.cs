using System.Collections.Immutable;
using System.Globalization;
using MPSec.Features.SystemStatus;
using MPSec.Hosting.Cli;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Hosting.Api;

/// <summary>The machine in the API; all gateways share it. Shares in percent, rates per second, sizes in bytes; null is what was not measured.</summary>
public sealed record MachineReply(
    MachineIdentity Identity, string TimeZone, DateTimeOffset? BootedAt, double? UptimeSeconds, CpuUse? Cpu, IEnumerable<CpuUse> Processors, LoadReading? Load, MemoryReading? Memory,
    IEnumerable<FileSystemReading> FileSystems, IEnumerable<DiskRate> Disks, IEnumerable<TemperatureReading> Temperatures, IEnumerable<PressureReading> Pressures, int Processes,
    IReadOnlyDictionary<string, int> ProcessesByState, IEnumerable<ProcessUse> Busiest, IEnumerable<ProcessUse> Largest, IEnumerable<SessionReading>? Sessions, IEnumerable<string> Faults);

/// <summary>An interface with what its driver tells.</summary>
public sealed record InterfaceReply(
    int Index, string Name, string State, bool Up, bool Carrier, string? Kind, string? HardwareAddress, IEnumerable<IpPrefix> Addresses, uint Mtu, uint? SpeedMbit, string? Duplex,
    SpeedReason NoSpeedBecause, string? Driver, LinkCounters? Counters, uint? CarrierChanges);

/// <summary>The System page in the API.</summary>
/// <param name="Gateway">Whose interfaces.</param>
/// <param name="At">Time of the machine's values.</param>
/// <param name="Machine">The machine.</param>
/// <param name="Interfaces">Interfaces of the gateway.</param>
public sealed record SystemReply(string Gateway, DateTimeOffset At, MachineReply Machine, IEnumerable<InterfaceReply> Interfaces);

/// <summary>Machine and interfaces under <c>/api/v1/gateways/{name}/system</c>.</summary>
public static class SystemApi
{
    private const ReadingScope Scope = ReadingScope.Links | ReadingScope.Addresses;

    /// <summary>Maps the endpoint.</summary>
    public static IEndpointRouteBuilder MapSystemApi(this IEndpointRouteBuilder app)
    {
        app.MapApi("gateways/{name}/system", "Gateways").MapGet(
                "", (string name, ILiveFeeds<MachineSnapshot, MachinePoint> machines, SystemService service, TimeProvider time, CancellationToken stop) =>
                    GatewaysApi.With(name, gateway => ReadAsync(gateway, machines, service, time, stop)))
            .WithSummary("Processors, memory, disks, tasks and sessions of the machine, and the interfaces of the gateway").AnswersReading<SystemReply>();
        return app;
    }

    private static async Task<IResult> ReadAsync(GatewayName gateway, ILiveFeeds<MachineSnapshot, MachinePoint> machines, SystemService service, TimeProvider time, CancellationToken stop)
    {
        var reading = await Task.Run(
            () =>
            {
                using var reader = GatewayReader.Open(gateway);
                return reader.Read(Scope);
            },
            stop);
        ImmutableDictionary<int, LinkHardware> hardware;
        try
        {
            hardware = await service.ReadHardwareAsync(reading, stop);
        }
        catch (Exception e) when (e is NetlinkException or NetlinkFormatException)
        {
            return TypedResults.Problem($"gateway {gateway}: the drivers do not answer ({e.Message})", statusCode: StatusCodes.Status503ServiceUnavailable);
        }

        // Shares need two readings; the first of a feed has none.
        return await FreshSample.OfAsync(machines.Get(gateway.Value), time, stop, s => s.Interval > TimeSpan.Zero) is { Failure: null, Value: { } snapshot } sample
            ? TypedResults.Json(new SystemReply(gateway.Value, sample.ValueAt, Machine(snapshot), reading.Links.Select(l => Interface(l, reading, hardware[l.Index]))), MPSecCommandLine.Json)
            : TypedResults.Problem("system: no reading came in time; ask again", statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    private static MachineReply Machine(MachineSnapshot s) => new(
        s.Reading.Identity, TimeZoneInfo.Local.Id, s.Reading.BootedAt, s.Reading.Uptime?.TotalSeconds, s.Cpu, s.Processors, s.Reading.Load, s.Reading.Memory, s.Reading.FileSystems, s.Disks,
        s.Reading.Temperatures, s.Reading.Pressures, s.Reading.Processes.Length, s.States.ToDictionary(p => p.Key.ToString(CultureInfo.InvariantCulture), p => p.Value), s.Busiest, s.Largest,
        s.Reading.Sessions is { } sessions ? (IEnumerable<SessionReading>)sessions : null, s.Reading.Faults);

    private static InterfaceReply Interface(LinkReading l, GatewayReading reading, LinkHardware hardware) => new(
        l.Index, l.Name, l.OperationalState, l.IsUp, l.HasCarrier, l.Kind, l.HardwareAddress, reading.Addresses.Where(a => a.InterfaceIndex == l.Index).Select(a => a.Prefix), l.Mtu,
        hardware.SpeedMbit, hardware.Duplex, hardware.Reason, hardware.Driver, l.Counters, l.CarrierChanges);
}
