using System.CommandLine;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network export</c> and <c>mpsec network apply FILE</c>: the multipath set-up of a gateway as a readable file.</summary>
internal static class NetworkFileCommand
{
    private const int LargestFile = 1 << 20;

    private static readonly Option<string> s_gateway = new("--gateway", "-g") { Description = "host, or the name of a network namespace", DefaultValueFactory = _ => "host" };
    private static readonly Option<bool> s_dryRun = new("--dry-run") { Description = "Show the commands and their inverse, change nothing" };
    private static readonly Option<bool> s_manage = new("--manage") { Description = "Switch the gateway to managed first; MPSec changes no gateway that it only observes" };
    private static readonly Argument<string> s_file = new("file") { Description = "File that 'mpsec network export' wrote; - reads standard input" };

    /// <summary><c>export</c>.</summary>
    public static Command Export()
    {
        var command = new Command("export", "Print the paths, their routing and the MPTCP settings of a gateway as a file for 'network apply'") { s_gateway };
        command.SetAction(parse =>
        {
            Console.Write(NetworkDocument.Of(Read(Gateway(parse))).ToJson());
            return CliExitCode.Done;
        });
        return command;
    }

    /// <summary><c>apply</c>.</summary>
    public static Command Apply()
    {
        var command = new Command("apply", "Bring a gateway to what a file says: addresses, links, rules, tables, endpoints, limits. What the file does not name stays as it is") { s_file, s_gateway, s_dryRun, s_manage };
        command.SetAction(ApplyAsync);
        return command;
    }

    private static async Task<int> ApplyAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var gateway = Gateway(parse);
        var document = await LoadAsync(parse.GetValue(s_file)!, cancellationToken);
        if (!Environment.IsPrivilegedProcess)
        {
            throw new CliException(CliExitCode.NotPermitted, "network apply: needs root to change a gateway; run it with sudo");
        }

        _ = Read(gateway);
        return await CliServices.RunAsync(parse, _ => { }, async services =>
        {
            var changes = services.GetRequiredService<ChangeService>();
            var plan = await services.GetRequiredService<NetworkConfigurationService>().PlanAsync(gateway, document, null, cancellationToken);
            if (parse.GetValue(s_dryRun))
            {
                var preview = await changes.PreviewAsync(plan, cancellationToken);
                Console.WriteLine(preview.Commands.IsEmpty ? "Nothing to change" : $"Would run\n  {string.Join("\n  ", preview.Commands)}\nUndone by\n  {string.Join("\n  ", preview.Inverse)}");
                return CliExitCode.Done;
            }

            if (parse.GetValue(s_manage))
            {
                await services.GetRequiredService<GatewayModes>().SetAsync(gateway, GatewayMode.Managed, ChangeActor.Terminal(), cancellationToken);
            }

            var report = await changes.RunAsync(plan, ChangeActor.Terminal(), cancellationToken);
            Console.WriteLine($"Gateway {gateway}: {document.Paths.Length} paths applied");
            return report.Outcome == ChangeOutcome.Applied ? CliExitCode.Done : CliExitCode.Failed;
        }, cancellationToken);
    }

    private static async Task<NetworkDocument> LoadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            using var source = file == "-" ? Console.OpenStandardInput() : File.OpenRead(file);
            var bytes = new byte[LargestFile + 1];
            var length = await source.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
            return length <= LargestFile
                ? NetworkDocument.Parse(System.Text.Encoding.UTF8.GetString(bytes, 0, length))
                : throw new CliException(CliExitCode.Usage, $"file: is larger than {LargestFile / 1024} KiB");
        }
        catch (FormatException e)
        {
            throw new CliException(CliExitCode.Usage, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(CliExitCode.Usage, $"file: cannot read {file}: {e.Message}");
        }
    }

    private static GatewayName Gateway(ParseResult parse) =>
        GatewayName.TryParse(parse.GetValue(s_gateway), out var gateway, out var error) ? gateway : throw new CliException(CliExitCode.Usage, error!);

    private static GatewayReading Read(GatewayName gateway)
    {
        try
        {
            using var reader = GatewayReader.Open(gateway);
            return reader.Read();
        }
        catch (NamespaceException e)
        {
            throw new CliException(e.IsGone ? CliExitCode.Failed : CliExitCode.NotPermitted, e.Message);
        }
    }
}
