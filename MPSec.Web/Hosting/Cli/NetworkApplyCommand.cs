using System.CommandLine;
using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Cli;

/// <summary>
/// <c>mpsec network apply</c>: brings a gateway to what a file says and keeps that as its configuration; without a file brings gateways back to what is kept, as
/// at boot.
/// </summary>
internal static class NetworkApplyCommand
{
    private const int LargestFile = 1 << 20;

    private static readonly Argument<string?> s_file = new("file")
    {
        Description = "File that 'mpsec network export' wrote; - reads standard input; without one the saved, confirmed configuration is restored",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string> s_gateway = NetworkCommand.GatewayOption();
    private static readonly Option<bool> s_all = new("--all") { Description = "Restore every managed gateway that has a saved configuration; one that cannot be restored does not hold up the others" };
    private static readonly Option<bool> s_dryRun = NetworkCommand.DryRunOption();
    private static readonly Option<bool> s_manage = new("--manage") { Description = "Switch the gateway to managed first; MPSec changes no gateway that it only observes" };
    private static readonly Option<string?> s_confirm = NetworkCommand.ConfirmOption();
    private static readonly Option<string?> s_wait = new("--wait") { Description = "When restoring, wait so many seconds, 0 to 600, for interfaces that are not there yet [default: 0]" };

    public static Command Create()
    {
        var command = new Command("apply", "Bring a gateway to what a file says, and keep that as its configuration; or, without a file, back to the configuration that is kept. What it does not name stays as it is")
        {
            s_file, s_gateway, s_all, s_dryRun, s_manage, s_confirm, s_wait,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var (file, all) = (parse.GetValue(s_file), parse.GetValue(s_all));
        var confirm = NetworkCommand.Seconds(parse.GetValue(s_confirm), "--confirm", 10, 600);
        var wait = NetworkCommand.Seconds(parse.GetValue(s_wait), "--wait", 0, 600) ?? TimeSpan.Zero;
        Exclude(all && file is not null, "--all", "a file: it is for one gateway");
        Exclude(all && parse.GetResult(s_gateway) is { Implicit: false }, "--all", "--gateway");
        Exclude(all && confirm is not null, "--all", "--confirm: one gateway at a time can wait to be confirmed");
        Exclude(all && parse.GetValue(s_manage), "--all", "--manage: name the gateway");
        Exclude(all && parse.GetValue(s_dryRun), "--all", "--dry-run: name the gateway");
        Exclude(file is not null && parse.GetResult(s_wait) is { Implicit: false }, "--wait", "a file: it is for restoring");
        var gateway = NetworkCommand.Gateway(parse, s_gateway);
        var document = file is null ? null : await LoadAsync(file, cancellationToken);
        NetworkCommand.RequireRoot("apply");
        return await CliServices.RunAsync(parse, _ => { }, services => NetworkCommand.WithGatewayAsync(async () =>
        {
            if (all)
            {
                return await RestoreAllAsync(services, wait, cancellationToken);
            }

            await services.GetRequiredService<ChangeService>().RecoverAsync(cancellationToken); // a plan must be for the state that it will meet
            if (parse.GetValue(s_manage))
            {
                _ = NetworkCommand.Read(gateway);
                await services.GetRequiredService<GatewayModes>().SetAsync(gateway, GatewayMode.Managed, ChangeActor.Terminal(), cancellationToken);
            }

            return document is not null
                ? await NetworkTerminal.ApplyAsync(services, gateway, document, parse.GetValue(s_dryRun), confirm, cancellationToken)
                : await RestoreAsync(services, gateway, parse.GetValue(s_dryRun), confirm, wait, cancellationToken);
        }), cancellationToken);
    }

    private static void Exclude(bool both, string option, string other)
    {
        if (both)
        {
            throw new CliException(CliExitCode.Usage, $"{option} excludes {other}");
        }
    }

    private static async Task<int> RestoreAsync(IServiceProvider services, GatewayName gateway, bool dryRun, TimeSpan? confirm, TimeSpan wait, CancellationToken cancellationToken)
    {
        if (!dryRun && confirm is null)
        {
            return Tell(await services.GetRequiredService<NetworkRestoration>().RestoreAsync(gateway, wait, ChangeActor.Terminal(), cancellationToken));
        }

        var restore = await services.GetRequiredService<NetworkConfigurationService>().RestorePlanAsync(gateway, cancellationToken)
            ?? throw new CliException(CliExitCode.Failed, $"gateway {gateway}: no configuration is saved; give a file, or save one on the page Network");
        foreach (var sentence in restore.LeftOut)
        {
            await Console.Error.WriteLineAsync("mpsec: " + sentence);
        }

        var code = restore.Plan.Operations.IsEmpty ? Standing(gateway, restore.Saved.Version) : await NetworkTerminal.RunAsync(services, restore.Plan, dryRun, confirm, cancellationToken);
        return restore.LeftOut.IsEmpty ? code : CliExitCode.Failed;
    }

    private static int Standing(GatewayName gateway, int version)
    {
        Console.WriteLine($"Gateway {gateway}: version {version} stands, nothing to change");
        return CliExitCode.Done;
    }

    private static async Task<int> RestoreAllAsync(IServiceProvider services, TimeSpan wait, CancellationToken cancellationToken)
    {
        var configurations = services.GetRequiredService<NetworkConfigurationService>();
        var modes = services.GetRequiredService<GatewayModes>();
        var restoration = services.GetRequiredService<NetworkRestoration>();
        var managed = new List<GatewayName>();
        foreach (var gateway in await configurations.GatewaysAsync(cancellationToken))
        {
            if (await modes.GetAsync(gateway, cancellationToken) == GatewayMode.Managed)
            {
                managed.Add(gateway);
            }
        }

        if (managed.Count == 0)
        {
            Console.WriteLine("No managed gateway has a saved configuration; nothing to do");
        }

        // Side by side, so that one that waits for an interface does not hold up the others.
        var codes = await Task.WhenAll(managed.Select(async gateway =>
        {
            try
            {
                return Tell(await restoration.RestoreAsync(gateway, wait, ChangeActor.System, cancellationToken));
            }
            catch (ChangeException e)
            {
                await Console.Error.WriteLineAsync($"mpsec: {e.Message}");
                return CliExitCode.Failed;
            }
        }));
        return codes.Any(c => c != CliExitCode.Done) ? CliExitCode.Failed : CliExitCode.Done;
    }

    private static int Tell(NetworkRestored restored)
    {
        foreach (var sentence in restored.Faults)
        {
            Console.Error.WriteLine("mpsec: " + sentence);
        }

        if (restored.Version is { } version && (restored.Operations > 0 || restored.Faults.IsEmpty))
        {
            Console.WriteLine($"Gateway {restored.Gateway}: version {version} {(restored.Operations > 0 ? $"restored, {restored.Operations} operations" : "stands, nothing to change")}");
        }

        return restored.Faults.IsEmpty ? CliExitCode.Done : CliExitCode.Failed;
    }

    private static async Task<NetworkDocument> LoadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            using var source = file == "-" ? Console.OpenStandardInput() : File.OpenRead(file);
            var bytes = new byte[LargestFile + 1];
            var length = await source.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
            return length <= LargestFile
                ? NetworkDocument.Parse(System.Text.Encoding.UTF8.GetString(bytes, 0, length).TrimStart('\uFEFF'))
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
}
