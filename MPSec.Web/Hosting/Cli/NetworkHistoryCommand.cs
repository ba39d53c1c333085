using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Features.Network;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network history</c>, <c>diff</c> and <c>revert</c>: the versions of a gateway's configuration.</summary>
internal static class NetworkHistoryCommand
{
    private static readonly Option<string> s_gateway = NetworkCommand.GatewayOption();
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();
    private static readonly Option<bool> s_dryRun = NetworkCommand.DryRunOption();
    private static readonly Option<string?> s_confirm = NetworkCommand.ConfirmOption();
    private static readonly Argument<string> s_before = new("a") { Description = "Number of a version" };
    private static readonly Argument<string> s_after = new("b") { Description = "Number of another version" };
    private static readonly Argument<string> s_version = new("version") { Description = "Number of the version to go back to" };

    /// <summary><c>history</c>.</summary>
    public static Command History()
    {
        var command = new Command("history", "Show the versions of a gateway's saved configuration, newest first") { s_gateway, s_json };
        command.SetAction((parse, cancellationToken) => WithAsync(parse, async configurations =>
        {
            var gateway = NetworkCommand.Gateway(parse, s_gateway);
            var versions = await configurations.HistoryAsync(gateway, NetworkConfiguration.MostVersions, cancellationToken);
            Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(versions, MPSecCommandLine.Json) + "\n" : Text(gateway.Value, versions));
            return CliExitCode.Done;
        }, cancellationToken));
        return command;
    }

    /// <summary><c>diff</c>.</summary>
    public static Command Diff()
    {
        var command = new Command("diff", "Show what differs between two versions of a gateway's saved configuration") { s_before, s_after, s_gateway, s_json };
        command.SetAction((parse, cancellationToken) => WithAsync(parse, async configurations =>
        {
            var diff = await configurations.DiffAsync(NetworkCommand.Gateway(parse, s_gateway), Version(parse, s_before), Version(parse, s_after), cancellationToken);
            Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(diff, MPSecCommandLine.Json) + "\n" : diff.IsEmpty ? "Nothing differs\n" : diff.Text);
            return CliExitCode.Done;
        }, cancellationToken));
        return command;
    }

    /// <summary><c>revert</c>.</summary>
    public static Command Revert()
    {
        var command = new Command("revert", "Go back to a version; it becomes the newest one") { s_version, s_gateway, s_dryRun, s_confirm };
        command.SetAction((parse, cancellationToken) =>
        {
            var gateway = NetworkCommand.Gateway(parse, s_gateway);
            var version = Version(parse, s_version);
            var confirm = NetworkCommand.Seconds(parse.GetValue(s_confirm), "--confirm", 10, 600);
            NetworkCommand.RequireRoot("revert");
            return CliServices.RunAsync(parse, _ => { }, services => NetworkCommand.WithGatewayAsync(async () =>
            {
                await services.GetRequiredService<ChangeService>().RecoverAsync(cancellationToken); // a plan must be for the state that it will meet
                var configurations = services.GetRequiredService<NetworkConfigurationService>();
                var plan = await configurations.RevertPlanAsync(gateway, version, cancellationToken);
                var document = (await configurations.FindAsync(gateway, version, cancellationToken))!.Document;
                return await NetworkTerminal.KeepAsync(services, gateway, document, plan, parse.GetValue(s_dryRun), confirm, cancellationToken);
            }), cancellationToken);
        });
        return command;
    }

    private static Task<int> WithAsync(ParseResult parse, Func<NetworkConfigurationService, Task<int>> work, CancellationToken cancellationToken) =>
        CliServices.RunAsync(parse, _ => { }, services => work(services.GetRequiredService<NetworkConfigurationService>()), cancellationToken, recover: false);

    private static int Version(ParseResult parse, Argument<string> argument) =>
        int.TryParse(parse.GetValue(argument), NumberStyles.None, CultureInfo.InvariantCulture, out var version) && version > 0 ? version
            : throw new CliException(CliExitCode.Usage, $"{argument.Name}: '{StatusCommand.Printable(parse.GetValue(argument)!)}' is no number of a version; 'mpsec network history' lists them");

    private static string Text(string gateway, IReadOnlyList<NetworkVersion> versions)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Gateway {gateway}: {(versions.Count == 0 ? "no configuration is saved" : $"version {versions[0].Version} is the configuration")}");
        foreach (var version in versions)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  {version.Version,4}  {version.At:yyyy-MM-dd HH:mm:ss}Z  {StatusCommand.Printable(version.Actor)}  {version.TitleCode} {string.Join(' ', version.TitleArguments.Select(StatusCommand.Printable))}");
        }

        return text.ToString();
    }
}
