using System.CommandLine;
using MPSec.Features.Network;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network export</c>: the multipath set-up of a gateway as a readable file.</summary>
internal static class NetworkExportCommand
{
    private static readonly Option<string> s_gateway = NetworkCommand.GatewayOption();
    private static readonly Option<bool> s_saved = new("--saved") { Description = "Print the saved, confirmed configuration instead of what the kernel shows: with names and roles, and nothing that somebody else set" };

    public static Command Create()
    {
        var command = new Command("export", "Print the paths, their routing and the MPTCP settings of a gateway as a file for 'network apply'") { s_gateway, s_saved };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var gateway = NetworkCommand.Gateway(parse, s_gateway);
        return parse.GetValue(s_saved)
            ? CliServices.RunAsync(parse, _ => { }, async services =>
            {
                var saved = await services.GetRequiredService<NetworkConfigurationService>().CurrentAsync(gateway, cancellationToken)
                    ?? throw new CliException(CliExitCode.Failed, $"gateway {gateway}: no configuration is saved; 'mpsec network export' without --saved prints what the kernel shows");
                Console.Write(saved.Document.ToJson());
                return CliExitCode.Done;
            }, cancellationToken, recover: false)
            : NetworkCommand.WithGatewayAsync(() =>
            {
                var document = NetworkDocument.Of(NetworkCommand.Read(gateway));
                foreach (var fault in document.Faults())
                {
                    // A kernel bears more than a sound file may say.
                    Console.Error.WriteLine($"mpsec: {fault.Sentence}; 'network apply' refuses this file until that is corrected");
                }

                Console.Write(document.ToJson());
                return Task.FromResult(CliExitCode.Done);
            });
    }
}
