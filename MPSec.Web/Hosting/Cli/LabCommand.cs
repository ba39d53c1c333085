using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Lab;
using MPSec.Linux.Namespaces;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec lab</c>: testbeds of two gateways and shaped paths on this host.</summary>
public static class LabCommand
{
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();
    private static readonly Option<string> s_name = new("--name") { Description = "Name of the lab; its gateways are NAME-a and NAME-b", DefaultValueFactory = _ => "lab" };
    private static readonly Option<string> s_paths = new("--paths") { Description = "Rate of each path in Mbit/s, 1 to 8 paths, for example 20,30,50,40", Required = true };
    private static readonly Option<string?> s_rtt = new("--rtt-ms") { Description = "Round-trip time of each path in milliseconds, for example 10,20,30,40; needs netem in the kernel" };
    private static readonly Option<string> s_buffer = new("--buffer-ms") { Description = "Queue of each path in milliseconds at its rate", DefaultValueFactory = _ => "50" };
    private static readonly Option<bool> s_all = new("--all") { Description = "Drop every lab" };
    private static readonly Option<string> s_seconds = new("--seconds") { Description = "How long to measure, 1 to 3600", DefaultValueFactory = _ => "10" };
    private static readonly Option<string> s_connections = new("--connections") { Description = "Connections at once, 1 to 64", DefaultValueFactory = _ => "1" };
    private static readonly Option<string> s_direction = new("--direction") { Description = "a-to-b, b-to-a or both", DefaultValueFactory = _ => "a-to-b" };
    private static readonly Option<string?> s_congestion = new("--congestion") { Description = "Congestion control [default: cubic where the kernel has it]" };

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var up = new Command("up", "Make a lab: two network namespaces joined by shaped paths, with routing and MPTCP set") { s_paths, s_rtt, s_buffer, s_name, s_json };
        up.SetAction(UpAsync);
        var down = new Command("down", "Drop a lab and everything in it, also what a crash left of it") { s_name, s_all };
        down.SetAction(DownAsync);
        var status = new Command("status", "Show all labs: paths, states, transfer, leftovers") { s_json };
        status.SetAction(StatusAsync);
        var run = new Command("run", "Send over a lab for a while and measure what arrives") { s_name, s_seconds, s_connections, s_direction, s_congestion, s_json };
        run.SetAction(RunAsync);
        return new("lab", "Testbeds: two gateways and up to eight shaped paths on this host, without a second machine") { up, down, status, run };
    }

    private static Task<int> UpAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var spec = LabSpec.Parse(parse.GetValue(s_name)!, parse.GetValue(s_paths)!, parse.GetValue(s_rtt), Number(parse.GetValue(s_buffer), "buffer-ms"), out var faults)
            ?? throw new CliException(CliExitCode.Usage, string.Join(Environment.NewLine + "mpsec: ", faults));
        RequireRoot();
        return WithServicesAsync(parse, async services =>
        {
            var status = await services.GetRequiredService<LabService>().UpAsync(spec, ChangeActor.Terminal(), cancellationToken);
            Print(parse, status, () => Text([status]));
            return CliExitCode.Done;
        }, cancellationToken);
    }

    private static Task<int> DownAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        RequireRoot();
        return WithServicesAsync(parse, async services =>
        {
            var labs = services.GetRequiredService<LabService>();
            var names = parse.GetValue(s_all) ? [.. (await labs.StatusAsync(cancellationToken)).Select(l => l.Name)] : (string[])[parse.GetValue(s_name)!];
            foreach (var name in names)
            {
                await labs.DownAsync(name, ChangeActor.Terminal(), cancellationToken);
                Console.WriteLine($"Lab {name} is gone");
            }

            return CliExitCode.Done;
        }, cancellationToken);
    }

    private static Task<int> StatusAsync(ParseResult parse, CancellationToken cancellationToken) => WithServicesAsync(parse, async services =>
    {
        var labs = await services.GetRequiredService<LabService>().StatusAsync(cancellationToken);
        Print(parse, labs, () => Text(labs));
        return CliExitCode.Done;
    }, cancellationToken);

    private static Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var seconds = Number(parse.GetValue(s_seconds), "seconds");
        var connections = Number(parse.GetValue(s_connections), "connections");
        var direction = parse.GetValue(s_direction) switch
        {
            "a-to-b" => LabDirection.AToB,
            "b-to-a" => LabDirection.BToA,
            "both" => LabDirection.Both,
            var other => throw new CliException(CliExitCode.Usage, $"direction: '{other}' is not known; write a-to-b, b-to-a or both"),
        };
        if (seconds is not (>= 1 and <= 3600))
        {
            throw new CliException(CliExitCode.Usage, "seconds: must be 1 to 3600");
        }

        var settings = new LabTransferSettings(direction, connections is >= 0 and <= 1000 && double.IsInteger(connections) ? (int)connections : 0, parse.GetValue(s_congestion));
        if (settings.Faults() is { Count: > 0 } faults)
        {
            throw new CliException(CliExitCode.Usage, string.Join(Environment.NewLine + "mpsec: ", faults));
        }

        if (LabTransfer.CongestionFault(settings.Congestion) is { } missing)
        {
            throw new CliException(CliExitCode.NotAvailable, missing);
        }

        RequireRoot();
        return WithServicesAsync(parse, async services =>
        {
            var name = parse.GetValue(s_name)!;
            var spec = await services.GetRequiredService<LabService>().FindSpecAsync(name, cancellationToken)
                ?? throw new CliException(CliExitCode.Failed, $"lab {name}: there is no such lab; make it with: mpsec lab up --paths 20,30,50,40 --name {ShellText.Quote(name)}");
            LabRunResult result;
            try
            {
                result = await LabRun.MeasureAsync(spec, settings, TimeSpan.FromSeconds(seconds), TimeProvider.System, cancellationToken);
            }
            catch (NamespaceException e)
            {
                throw new CliException(CliExitCode.Failed, e.Message);
            }

            Print(parse, result, () => Text(result));
            return CliExitCode.Done;
        }, cancellationToken);
    }

    private static Task<int> WithServicesAsync(ParseResult parse, Func<IServiceProvider, Task<int>> work, CancellationToken cancellationToken) =>
        CliServices.RunAsync(parse, services => services.AddMPSecLab(), work, cancellationToken);

    private static void RequireRoot()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new CliException(CliExitCode.NotPermitted, "lab: needs root to make and enter network namespaces; run it with sudo");
        }
    }

    private static double Number(string? text, string field) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : throw new CliException(CliExitCode.Usage, $"{field}: '{text}' is no number");

    private static void Print<T>(ParseResult parse, T value, Func<string> text) =>
        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(value, MPSecCommandLine.Json) + "\n" : text());

    private static string Text(IReadOnlyList<LabStatus> labs)
    {
        if (labs.Count == 0)
        {
            return "No lab stands; make one with: mpsec lab up --paths 20,30,50,40\n";
        }

        var text = new System.Text.StringBuilder();
        foreach (var lab in labs)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"Lab {lab.Name}: {lab.Stage}{(lab.Problem is null ? "" : $" ({lab.Problem})")}, gateways {lab.GatewayA} and {lab.GatewayB}, header-limited sum {lab.HeaderLimitedMbit:0.0} Mbit/s");
            foreach (var path in lab.Paths)
            {
                var rtt = path.RttMs > 0 ? string.Create(CultureInfo.InvariantCulture, $", RTT {path.RttMs:0.###} ms") : "";
                text.AppendLine(CultureInfo.InvariantCulture, $"  {path.Interface,-6} {path.RateMbit,8:0.###} Mbit/s{rtt}  a {path.StateA ?? "-"}, b {path.StateB ?? "-"}");
            }

            text.AppendLine(lab.Transfer is { } t ? $"  transfer wanted: {JsonNamingPolicy.KebabCaseLower.ConvertName(t.Direction.ToString())}, {t.Connections} connection(s)" : "  no transfer");
        }

        return text.ToString();
    }

    private static string Text(LabRunResult result)
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Goodput {result.GoodputMbit:0.0} Mbit/s of {result.HeaderLimitedMbit:0.0} (header-limited sum) = {result.Percent:0.0} % over {result.Seconds:0.0} s, {result.Settings.Congestion ?? "default congestion control"}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Longest stall {result.LongestStallMs:0} ms, {result.Reconnects} reconnects, CPU {result.CpuPercent:0.0} % of a core");
        foreach (var path in result.Paths)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {path.Interface,-6} {path.CarriedMbit,8:0.0} of {path.RateMbit:0.###} Mbit/s on the wire, share {path.SharePercent:0.0} %");
        }

        return text.ToString();
    }
}
