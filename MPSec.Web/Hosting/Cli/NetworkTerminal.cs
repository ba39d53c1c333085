using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Cli;

/// <summary>Runs a plan for somebody at a terminal: shows it, runs it, or runs it and asks whether to keep it.</summary>
internal static class NetworkTerminal
{
    /// <summary>Applies a document; one that changes nothing of the gateway is kept all the same.</summary>
    public static async Task<int> ApplyAsync(IServiceProvider services, GatewayName gateway, NetworkDocument document, bool dryRun, TimeSpan? confirm, CancellationToken cancellationToken)
    {
        var configurations = services.GetRequiredService<NetworkConfigurationService>();
        return await KeepAsync(services, gateway, document, await configurations.PlanAsync(gateway, document, null, cancellationToken: cancellationToken), dryRun, confirm, cancellationToken);
    }

    /// <summary>Runs the plan of a document; without operations the document alone is kept.</summary>
    public static async Task<int> KeepAsync(
        IServiceProvider services, GatewayName gateway, NetworkDocument document, ChangePlan plan, bool dryRun, TimeSpan? confirm, CancellationToken cancellationToken)
    {
        var configurations = services.GetRequiredService<NetworkConfigurationService>();
        if (!plan.Operations.IsEmpty)
        {
            var code = await RunAsync(services, plan, dryRun, confirm, cancellationToken);
            if (code == CliExitCode.Done && !dryRun && await configurations.CurrentAsync(gateway, cancellationToken) is { } kept)
            {
                Console.WriteLine($"Gateway {gateway}: {document.Paths.Length} paths applied; this is version {kept.Version} of its configuration");
            }

            return code;
        }

        var before = await configurations.CurrentAsync(gateway, cancellationToken);
        if (dryRun || before?.Document.ToJson() == document.ToJson())
        {
            Console.WriteLine("Nothing to change");
            return CliExitCode.Done;
        }

        await RequireManagedAsync(services, gateway, cancellationToken);
        var saved = await configurations.SaveWithoutChangeAsync(gateway, document, before?.Version ?? 0, ChangeActor.Terminal(), plan.TitleCode, plan.TitleArguments, cancellationToken);
        Console.WriteLine($"Gateway {gateway}: nothing to change; kept as version {saved.Version} of its configuration");
        return CliExitCode.Done;
    }

    /// <summary>Runs a plan with operations.</summary>
    public static async Task<int> RunAsync(IServiceProvider services, ChangePlan plan, bool dryRun, TimeSpan? confirm, CancellationToken cancellationToken)
    {
        var changes = services.GetRequiredService<ChangeService>();
        if (dryRun)
        {
            var preview = await changes.PreviewAsync(plan, cancellationToken);
            Console.WriteLine(preview.Commands.IsEmpty ? "Nothing to change" : $"Would run\n  {string.Join("\n  ", preview.Commands)}\nUndone by\n  {string.Join("\n  ", preview.Inverse)}");
            return CliExitCode.Done;
        }

        if (confirm is null)
        {
            return (await changes.RunAsync(plan, ChangeActor.Terminal(), cancellationToken)).Outcome == ChangeOutcome.Applied ? CliExitCode.Done : CliExitCode.Failed;
        }

        var pending = await changes.ApplyCheckedAsync(plan, ChangeActor.Terminal(), confirm, cancellationToken);
        Console.WriteLine($"Applied. Keep it? Press Enter within {Math.Floor(pending.Remaining.TotalSeconds):0} s; otherwise, also when this session ends, everything is undone.");
        if (await AskAsync(pending.Remaining, cancellationToken))
        {
            await changes.ConfirmAsync(pending.Id, ChangeActor.Terminal(), CancellationToken.None);
            Console.WriteLine("Kept.");
            return CliExitCode.Done;
        }

        try
        {
            var report = await changes.RollbackAsync(pending.Id, ChangeActor.Terminal(), CancellationToken.None);
            await Console.Error.WriteLineAsync($"mpsec: not kept: {report.Sentence}");
        }
        catch (ChangeException e) when (e.Fault == ChangeFault.Expired)
        {
            await Console.Error.WriteLineAsync($"mpsec: not kept: {e.Message}");
        }

        return CliExitCode.Failed;
    }

    private static async Task RequireManagedAsync(IServiceProvider services, GatewayName gateway, CancellationToken cancellationToken)
    {
        if (await services.GetRequiredService<GatewayModes>().GetAsync(gateway, cancellationToken) == GatewayMode.Observe)
        {
            throw new ChangeException(ChangeFault.Observed, $"gateway {gateway}: is in observe mode, MPSec only reads it; --manage switches it to managed");
        }
    }

    // A line, even an empty one, is a yes; the end of the input, the end of the time and Ctrl-C are a no.
    private static async Task<bool> AskAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var line = Task.Run(Console.ReadLine, CancellationToken.None);
        try
        {
            return await line.WaitAsync(limit, cancellationToken) is not null;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }
}
