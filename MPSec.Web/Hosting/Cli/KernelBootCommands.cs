using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Features.Kernel;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel boots, try, verify, cancel-try, remove, forget</c>: which kernel starts; works without the web program.</summary>
internal static class KernelBootCommands
{
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();
    private static readonly Option<bool> s_reboot = new("--reboot") { Description = "Start the machine anew at once; needs --confirm" };
    private static readonly Option<string?> s_confirm = new("--confirm") { Description = "The release that is tried, typed as it is" };
    private static readonly Option<bool> s_keep = new("--keep") { Description = "Make it the default when no check fails, also when it is not kept by itself" };
    private static readonly Argument<string> s_release = new("RELEASE") { Description = "An installed kernel, as mpsec kernel boots names it" };

    public static IEnumerable<Command> Create()
    {
        yield return Verb("boots", "Show which kernel runs, which one starts next, and what became of those that MPSec installed; changes nothing", BootsAsync, s_json);
        yield return Verb("try", "Make the next start, and only that one, one with the installed kernel; a panic or a hang leads back to the old one", TryAsync, s_reboot, s_confirm, s_json);
        yield return Verb("verify", "Check the kernel on trial in the foreground until the verdict, as the dashboard does by itself; exit code 1 when it is not the default afterwards", VerifyAsync, s_keep, s_json);
        yield return Verb("cancel-try", "Take the trial back before the machine is started anew", CancelAsync, s_json);
        yield return Verb("forget", "Take MPSec's settings away from the boot loader: it chooses its default as it did before", ForgetAsync);
        var remove = Verb("remove", "Remove an installed kernel; never the running one, the default, or the one to go back to", RemoveAsync);
        remove.Arguments.Add(s_release);
        yield return remove;
    }

    /// <summary>Runs a verb with what it needs, and turns what is refused into an exit code.</summary>
    internal static async Task<int> WithAsync(ParseResult parse, Func<IServiceProvider, Task<int>> work, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new CliException(CliExitCode.NotPermitted, $"kernel {parse.CommandResult.Command.Name}: needs root to change how this machine starts; run it with sudo");
        }

        return await CliServices.RunAsync(parse, services => services.AddKernelBoot(), async services =>
        {
            try
            {
                return await work(services);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new CliException(CliExitCode.NotPermitted, e.Message);
            }
        }, cancellationToken, recover: false);
    }

    private static Command Verb(string name, string description, Func<ParseResult, CancellationToken, Task<int>> run, params Option[] options)
    {
        var command = new Command(name, description);
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction(run);
        return command;
    }

    private static Task<int> BootsAsync(ParseResult parse, CancellationToken cancellationToken) => WithAsync(parse, services =>
    {
        var boots = services.GetRequiredService<KernelBootService>().Read();
        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(boots, MPSecCommandLine.Json) + "\n" : KernelBootPage.Text(boots));
        return Task.FromResult(CliExitCode.Done);
    }, cancellationToken);

    private static Task<int> TryAsync(ParseResult parse, CancellationToken cancellationToken) => WithAsync(parse, async services =>
    {
        var boots = services.GetRequiredService<KernelBootService>();
        var (reboot, confirm) = (parse.GetValue(s_reboot), parse.GetValue(s_confirm));
        if (reboot && (confirm is null || confirm != boots.Read().Record?.Release))
        {
            throw new CliException(CliExitCode.Usage, $"--confirm: type the release that is tried, {boots.Read().Record?.Release ?? "which is none yet"}; nothing was done");
        }

        var who = ChangeActor.Terminal().Name;
        var record = await boots.ArmAsync(who, cancellationToken);
        Print(parse, record, $"The next start is with {record.Release}, once; the default stays {record.OldRelease}.\n"
            + (reboot ? "Starting anew now.\n" : "Start the machine anew when you are ready: systemctl reboot. Take it back: mpsec kernel cancel-try\n")
            + $"After it MPSec has {record.Minutes} min for the verdict{(record.KeepByItself ? " and keeps a kernel that passes every check" : "; confirm with mpsec kernel verify --keep")}.\n");
        if (reboot)
        {
            await boots.RebootAsync(confirm!, who, cancellationToken);
        }

        return CliExitCode.Done;
    }, cancellationToken);

    private static Task<int> VerifyAsync(ParseResult parse, CancellationToken cancellationToken) => WithAsync(parse, async services =>
    {
        var boots = services.GetRequiredService<KernelBootService>();
        var record = await boots.LookAsync(cancellationToken) ?? throw new CliException(CliExitCode.Failed, "kernel verify: no kernel was installed by MPSec");
        if (parse.GetValue(s_keep) && record.IsOnTrial)
        {
            record = await boots.KeepAsync(ChangeActor.Terminal().Name, cancellationToken) ?? record;
        }

        var time = services.GetRequiredService<TimeProvider>();
        while (record.State == KernelBootState.Trial && (record.KeepByItself || record.ConfirmedBy is not null))
        {
            await Task.Delay(TimeSpan.FromSeconds(5), time, cancellationToken);
            record = await boots.LookAsync(cancellationToken) ?? record;
        }

        Print(parse, record, KernelBootPage.Text(record));
        return record.State == KernelBootState.Kept ? CliExitCode.Done : CliExitCode.Failed;
    }, cancellationToken);

    private static Task<int> CancelAsync(ParseResult parse, CancellationToken cancellationToken) => WithAsync(parse, async services =>
    {
        var record = await services.GetRequiredService<KernelBootService>().DisarmAsync(ChangeActor.Terminal().Name, cancellationToken);
        Print(parse, record, $"The next start is with {record.OldRelease}; {record.Release} stays installed.\n");
        return CliExitCode.Done;
    }, cancellationToken);

    private static Task<int> ForgetAsync(ParseResult parse, CancellationToken cancellationToken) => WithAsync(parse, async services =>
    {
        var starts = await services.GetRequiredService<KernelBootService>().ForgetAsync(ChangeActor.Terminal().Name, cancellationToken);
        Console.WriteLine($"The boot loader chooses its default as it did before MPSec: {starts ?? "unknown"}");
        return CliExitCode.Done;
    }, cancellationToken);

    private static Task<int> RemoveAsync(ParseResult parse, CancellationToken cancellationToken) => WithAsync(parse, async services =>
    {
        var release = parse.GetValue(s_release)!;
        await services.GetRequiredService<KernelInstaller>().RemoveAsync(release, KernelInstallCommand.Work(services, "remove", cancellationToken));
        Console.WriteLine($"{StatusCommand.Printable(release)} is removed");
        return CliExitCode.Done;
    }, cancellationToken);

    private static void Print(ParseResult parse, KernelBootRecord record, string text) =>
        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(record, MPSecCommandLine.Json) + "\n" : text);
}

/// <summary>What the verbs about starting a kernel print for people.</summary>
internal static class KernelBootPage
{
    public static string Text(KernelBootSnapshot boots)
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Runs         {StatusCommand.Printable(boots.Running)}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Default      {boots.Default ?? "– (unknown)"}{(boots.Guarded ? ", looked after by MPSec" : "")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Next start   {boots.Once ?? boots.Default ?? "– (unknown)"}{(boots.Once is null ? "" : ", once")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Boot loader  {boots.BootLoader}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Secure Boot  {boots.SecureBoot switch { true => "on", false => "off", null => boots.Efi ? "– (the firmware does not tell)" : "off (no UEFI)" }}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Free /boot   {(boots.BootFreeBytes is { } free ? $"{free / 1_000_000} MB" : "– (there is none)")}").AppendLine();
        foreach (var kernel in boots.Kernels)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {StatusCommand.Printable(kernel.Release),-36} {(kernel.InitrdBytes is null ? "no initrd" : "initrd"),-10} {(kernel.HasEntry ? "in the menu" : "NOT in the menu"),-16} {kernel.Protection}");
        }

        return boots.Record is { } record ? text.AppendLine().Append(Text(record)).ToString() : text.ToString();
    }

    public static string Text(KernelBootRecord record)
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{record.Release} ({record.Package} {record.Version}), installed by {StatusCommand.Printable(record.Actor)}: {record.State}");
        if (record.Reason is { } reason)
        {
            text.AppendLine("  why: " + StatusCommand.Printable(reason));
        }

        foreach (var check in record.Checks)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {check.Passed switch { true => "ok  ", false => "FAIL", null => "–   " }} {check.Name,-9} {StatusCommand.Printable(check.Detail)}");
        }

        foreach (var mark in record.Marks)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {mark.At:yyyy-MM-dd HH:mm:ss} {mark.State,-10} {StatusCommand.Printable(mark.Who)}: {StatusCommand.Printable(mark.Note)}");
        }

        return text.ToString();
    }
}
