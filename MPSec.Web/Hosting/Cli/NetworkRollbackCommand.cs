using System.CommandLine;
using System.Text.Json;
using MPSec.Changes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network rollback</c>: undoes the change that waits to be confirmed, now; works with the web program down.</summary>
internal static class NetworkRollbackCommand
{
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("rollback", "Undo the change that waits to be confirmed, now, and compare with the state before") { s_json };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new CliException(CliExitCode.NotPermitted, "network rollback: needs root to change the network; run it with sudo");
        }

        return CliServices.RunAsync(parse, _ => { }, services => RollBackAsync(parse, services.GetRequiredService<ChangeService>(), cancellationToken), cancellationToken, recover: false);
    }

    private static async Task<int> RollBackAsync(ParseResult parse, ChangeService changes, CancellationToken cancellationToken)
    {
        var pending = await changes.PendingAsync(cancellationToken);
        var report = pending is null ? null : await changes.RollbackAsync(pending.Id, ChangeActor.Terminal(), cancellationToken);
        Console.WriteLine(parse.GetValue(s_json) ? JsonSerializer.Serialize(report, MPSecCommandLine.Json)
            : report is null ? "No change waits to be confirmed; nothing was done"
            : $"The change {report.TitleCode} of {report.Actor} on {string.Join(", ", report.Gateways)}: {report.Sentence}");
        return report is null or { Outcome: ChangeOutcome.RolledBack } ? CliExitCode.Done : CliExitCode.Failed;
    }
}
