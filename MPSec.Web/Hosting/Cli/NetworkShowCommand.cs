using System.CommandLine;
using System.Globalization;
using System.Resources;
using System.Text;
using System.Text.Json;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network show</c>: paths, the kernel's answer for every source and peer, and what is wrong; works without the web program.</summary>
internal static class NetworkShowCommand
{
    private static readonly Option<string> s_gateway = new("--gateway", "-g")
    {
        Description = "host, or the name of a network namespace (a lab has NAME-a and NAME-b)",
        DefaultValueFactory = _ => "host",
    };

    private static readonly Option<string?> s_peers = new("--peers") { Description = "More peers to ask about, separated by commas" };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("show", "Show paths, which way the kernel sends each source to each peer, and findings; findings do not change the exit code") { s_gateway, s_peers, s_json };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        if (!GatewayName.TryParse(parse.GetValue(s_gateway), out var gateway, out var error))
        {
            throw new CliException(CliExitCode.Usage, error!);
        }

        var peers = NetworkService.ParsePeers(parse.GetValue(s_peers), out var wrong);
        if (wrong is not null)
        {
            throw new CliException(CliExitCode.Usage, $"peers: '{StatusCommand.Printable(wrong)}' is no IP address; write 192.0.2.1 or 2001:db8::1");
        }

        NetworkSnapshot snapshot;
        try
        {
            using var reader = GatewayReader.Open(gateway);
            var network = new NetworkService(new FirstSightNumbering(), new InterfaceOwnerReader());
            snapshot = await network.ReadAsync(reader.Read(), peers, cancellationToken);
        }
        catch (NamespaceException e)
        {
            throw new CliException(e.IsGone ? CliExitCode.Failed : CliExitCode.NotPermitted, e.IsGone
                ? $"{e.Message}; gateways here: {string.Join(", ", NamespaceThread.List().Select(n => n.Value).Prepend("host"))}"
                : e.Message);
        }

        await Console.Out.WriteAsync(parse.GetValue(s_json) ? JsonSerializer.Serialize(snapshot, MPSecCommandLine.Json) + "\n" : Text(snapshot));
        return CliExitCode.Done;
    }

    /// <summary>The snapshot as a page of text.</summary>
    internal static string Text(NetworkSnapshot snapshot)
    {
        var texts = new ResourceManager(typeof(NetworkTexts));
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Gateway {snapshot.Gateway}").AppendLine().AppendLine("Paths");
        foreach (var path in snapshot.Paths)
        {
            var families = string.Join("; ", path.Families.Select(f =>
                string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', f.Addresses)} via {f.NextHop?.ToString() ?? "–"} table {f.Table?.ToString(CultureInfo.InvariantCulture) ?? "–"}")));
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  {path.Number} {StatusCommand.Printable(path.Name),-15} {path.Role,-8} {(path.IsReady ? "up" : "down"),-5} mtu {path.Mtu}  {families}  managed by {path.Owner.Kind}{(path.FromDhcp ? ", DHCP" : "")}");
        }

        text.AppendLine().AppendLine("Routing");
        foreach (var cell in snapshot.Cells)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  {Mark(cell.Verdict)} {StatusCommand.Printable(cell.Path),-15} {cell.Source} -> {cell.Peer}: {(cell.Device is { } device ? StatusCommand.Printable(device) : $"not sent (error {cell.Answer.Errno})")}");
        }

        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Findings: {snapshot.Findings.Length}");
        foreach (var finding in snapshot.Findings)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  {StatusCommand.Printable(finding.Path)}{(finding.IsIPv6 is { } v6 ? v6 ? " IPv6" : " IPv4" : "")}: {texts.GetString($"Fault_{finding.Fault}", CultureInfo.InvariantCulture)}{(finding.IsActive ? " (wrong now)" : "")}");
            foreach (var line in finding.Evidence)
            {
                text.AppendLine("    seen: " + StatusCommand.Printable(line));
            }

            foreach (var line in finding.Commands)
            {
                text.AppendLine("    repair: " + line);
            }
        }

        return text.ToString();
    }

    private static string Mark(RoutingVerdict verdict) => verdict switch { RoutingVerdict.OwnDevice => "ok   ", RoutingVerdict.Silent => "quiet", _ => "WRONG" };
}
