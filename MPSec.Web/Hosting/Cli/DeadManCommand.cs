using System.CommandLine;
using Microsoft.Data.Sqlite;
using MPSec.Changes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec dead-man</c>: the process that undoes a checked change when nobody confirms it. Started by MPSec itself, so it is not listed.</summary>
internal static class DeadManCommand
{
    private static readonly Option<Guid> s_change = new("--change") { Description = "Id of the change", Required = true };

    public static Command Create()
    {
        var command = new Command(DetachedDeadMan.Verb, "Undo a checked change when nobody confirms it in time") { s_change };
        command.Hidden = true;
        command.SetAction((parse, cancellationToken) => CliServices.RunAsync(
            parse,
            _ => { },
            async services => await services.GetRequiredService<DeadMan>().RunAsync(parse.GetValue(s_change), cancellationToken, Rest) ? CliExitCode.Done : CliExitCode.Failed,
            cancellationToken,
            recover: false));
        return command;
    }

    // Nothing is held while nothing is guarded: the database may be replaced, memory belongs to others. The process has no other work.
    private static void Rest()
    {
        SqliteConnection.ClearAllPools();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }
}
