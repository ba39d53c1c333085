using System.CommandLine;
using MPSec.Features.Kernel;
using MPSec.Jobs;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel build</c>: from a source to packages that were proved, as the job of the Kernel page does it.</summary>
internal static class KernelBuildCommand
{
    private static readonly Option<string> s_profile = new("--profile") { Description = string.Join(", ", KernelProfileTable.All.Select(p => p.Key)), DefaultValueFactory = _ => KernelBuildParameters.Usual.Profile };
    private static readonly Option<string?> s_fragment = new("--fragment") { Description = "A file with further options, laid over the profile" };
    private static readonly Option<int?> s_jobs = new("--jobs") { Description = "Compilers at once; as many as processors and memory allow when nothing is said" };
    private static readonly Option<bool> s_withoutProof = new("--without-proof") { Description = "Do not start the result in a virtual machine" };
    private static readonly Option<bool> s_rpm = new("--rpm") { Description = "Make an .rpm too; needs rpmbuild" };
    private static readonly Option<bool> s_keepTree = new("--keep-tree") { Description = "Keep source and objects afterwards" };
    private static readonly Option<bool> s_wait = new("--wait") { Description = "Show the log until it has ended; exit code 1 when it failed" };
    private static readonly Option<bool> s_continue = new("--continue") { Description = "Start nothing new: go on with the build that was interrupted, or follow the one that runs" };
    private static readonly Option<bool> s_cancel = new("--cancel") { Description = "Ask the build that runs to end" };

    public static Command Create()
    {
        var command = new Command("build", "Fetch a kernel's source, check it, configure, compile, package and prove it; nothing is installed") { s_profile, s_fragment, s_jobs, s_withoutProof, s_rpm, s_keepTree, s_wait, s_continue, s_cancel };
        KernelSourceOptions.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new CliException(CliExitCode.NotPermitted, "kernels are built by root, in the state folder of MPSec; run it with sudo");
        }

        var terminal = await JobTerminal.OpenAsync(parse.GetValue(MPSecCommandLine.State)!, cancellationToken);
        await using (terminal)
        {
            var unfinished = await terminal.UnfinishedAsync(KernelBuild.KindKey, cancellationToken);
            if (parse.GetValue(s_cancel))
            {
                await terminal.CancelAsync(unfinished ?? throw NoBuild(), cancellationToken);
                return await FollowAsync(terminal, unfinished.Value, wanted: JobState.Cancelled, cancellationToken);
            }

            if (parse.GetValue(s_continue))
            {
                return await FollowAsync(terminal, unfinished ?? throw NoBuild(), JobState.Succeeded, cancellationToken);
            }

            if (unfinished is { } other)
            {
                throw new CliException(CliExitCode.Failed, $"job {other} builds a kernel already; follow it with --continue, or end it with --cancel");
            }

            if (!parse.GetValue(s_wait) && !terminal.HasServer)
            {
                throw new CliException(CliExitCode.Usage, "no server runs that would go on with the build; say --wait, or start 'mpsec serve'");
            }

            var run = await terminal.StartAsync(KernelBuild.KindKey, Asked(parse), cancellationToken);
            await Console.Error.WriteLineAsync($"build: job {run}{(terminal.HasServer ? ", done by the running server" : "")}");
            return parse.GetValue(s_wait) ? await FollowAsync(terminal, run, JobState.Succeeded, cancellationToken) : CliExitCode.Done;
        }
    }

    private static async Task<int> FollowAsync(JobTerminal terminal, long id, JobState wanted, CancellationToken cancellationToken)
    {
        JobRun run;
        try
        {
            run = await terminal.FollowAsync(id, line => Console.WriteLine(StatusCommand.Printable(line)), cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"build: job {id} was left; what it began goes on. Follow it with 'mpsec kernel build --continue', end it with --cancel");
            throw;
        }

        foreach (var step in run.Steps)
        {
            var took = step is { StartedAt: { } from, FinishedAt: { } to } ? $"{(to - from).TotalSeconds,7:0} s" : "        –";
            await Console.Error.WriteLineAsync($"build: {step.Key,-10} {step.State,-10} {took}  {StatusCommand.Printable(step.Outcome ?? "")}");
        }

        if (run.State != wanted)
        {
            throw new CliException(CliExitCode.Failed, $"kernel build: job {id} {run.State.ToString().ToLowerInvariant()}{(run.Result is { } why ? ": " + StatusCommand.Printable(why) : "")}");
        }

        return CliExitCode.Done;
    }

    private static KernelBuildParameters Asked(ParseResult parse)
    {
        return new(parse.GetRequiredValue(s_profile), KernelSourceOptions.Read(parse))
        {
            Fragment = Fragment(parse.GetValue(s_fragment)), Jobs = parse.GetValue(s_jobs), WithoutProof = parse.GetValue(s_withoutProof), Rpm = parse.GetValue(s_rpm), KeepTree = parse.GetValue(s_keepTree),
        };
    }

    /// <summary>The text of a fragment's file; null when none is named.</summary>
    internal static string? Fragment(string? file)
    {
        try
        {
            return file is null ? null
                : new FileInfo(file).Length <= KernelBuildParameters.LongestFragment ? File.ReadAllText(file)
                : throw new CliException(CliExitCode.Usage, $"--fragment: the file is longer than {KernelBuildParameters.LongestFragment} characters");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(CliExitCode.Failed, $"--fragment: {e.Message}");
        }
    }

    private static CliException NoBuild() => new(CliExitCode.Failed, "no kernel is being built");
}
