using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec status</c>: one reading of a gateway, taken directly from the kernel; works without the web program.</summary>
public static class StatusCommand
{
    private static readonly Option<string> s_gateway = new("--gateway", "-g")
    {
        Description = "host, or the name of a network namespace (a lab has NAME-a and NAME-b)",
        DefaultValueFactory = _ => "host",
    };

    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var command = new Command("status", "Show what the kernel says about a gateway: interfaces, addresses, routes, rules, MPTCP") { s_gateway, s_json };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parse)
    {
        if (!GatewayName.TryParse(parse.GetValue(s_gateway), out var gateway, out var error))
        {
            throw new CliException(CliExitCode.Usage, error!);
        }

        GatewayReading reading;
        try
        {
            using var reader = GatewayReader.Open(gateway);
            reading = reader.Read(ReadingScope.All);
        }
        catch (NamespaceException e)
        {
            throw new CliException(e.IsGone ? CliExitCode.Failed : CliExitCode.NotPermitted, e.IsGone
                ? $"{e.Message}; gateways here: {string.Join(", ", NamespaceThread.List().Select(n => n.Value).Prepend("host"))}"
                : e.Message);
        }

        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(reading, MPSecCommandLine.Json) + "\n" : Text(reading));
        return CliExitCode.Done;
    }

    /// <summary>The reading as a page of text.</summary>
    internal static string Text(GatewayReading reading)
    {
        var text = new StringBuilder();
        var mptcp = reading.MptcpEnabled switch { true => "on", false => "off", null => "not available" };
        text.AppendLine(CultureInfo.InvariantCulture, $"Gateway {reading.Gateway}, MPTCP {mptcp}");
        if (reading.Limits is { } limits)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  limits: {limits.Subflows} additional subflows, {limits.AddAddrAccepted} announced addresses accepted");
        }

        text.AppendLine().AppendLine("Interfaces");
        var shapers = reading.Qdiscs.Where(q => q.RateBitsPerSecond is not null).ToLookup(q => q.InterfaceIndex);
        foreach (var link in reading.Links)
        {
            var addresses = string.Join(' ', reading.Addresses.Where(a => a.InterfaceIndex == link.Index).Select(a => a.Prefix));
            var rate = shapers[link.Index].FirstOrDefault() is { } shaper ? $", shaped to {shaper.RateBitsPerSecond / 1e6:0.###} Mbit/s" : "";
            var counters = link.Counters is { } c ? $", tx {c.TxBytes} B, rx {c.RxBytes} B" : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"  {Printable(link.Name),-15} {link.OperationalState,-8} mtu {link.Mtu}  {addresses}{rate}{counters}");
        }

        text.AppendLine().AppendLine("Endpoints");
        foreach (var endpoint in reading.Endpoints)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  id {endpoint.Id,-3} {endpoint.Address} {endpoint.Flags}");
        }

        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Connections: {reading.Connections.Count(c => c.State == 1)} MPTCP with {reading.Subflows.Count(s => s.State == 1)} subflows, {reading.PlainTcpEstablished?.ToString(CultureInfo.InvariantCulture) ?? "–"} plain TCP");
        var subflows = reading.Subflows.ToLookup(s => s.TokenLocal);
        foreach (var connection in reading.Connections.Where(c => c.State == 1))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {connection.Local} – {connection.Remote}{(connection.IsFallback ? ", fallback to TCP" : "")}");
            foreach (var subflow in connection.Token is { } token ? subflows[token] : [])
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"    {subflow.Local} – {subflow.Remote} rtt {subflow.RttMicroseconds / 1000.0:0.###} ms{(subflow.IsBackup ? ", backup" : "")}");
            }
        }

        foreach (var fault in reading.Faults)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"Not read: {fault.Part}: {fault.Reason}");
        }

        return text.ToString();
    }

    // A name may hold control characters; a terminal must not see them.
    internal static string Printable(string name) => string.Concat(name.Select(c => char.IsControl(c) ? '?' : c));
}
