using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel install</c>: installs a kernel from a package, with the running kernel as the default before and after.</summary>
internal static class KernelInstallCommand
{
    private static readonly Option<string> s_package = new("--package") { Description = "A Debian package of a kernel image", Required = true };
    private static readonly Option<string?> s_proof = new("--proof") { Description = "What mpsec kernel prove --package FILE --json wrote" };
    private static readonly Option<bool> s_override = new("--override-proof") { Description = "Install it without a passed proof; this is audited" };
    private static readonly Option<int> s_minutes = new("--minutes") { Description = "Minutes from the start of the new kernel to the verdict, 1 to 60", DefaultValueFactory = _ => 10 };
    private static readonly Option<bool> s_ask = new("--ask") { Description = "Keep the new kernel only when an administrator confirms it in time, not by itself" };
    private static readonly Option<bool> s_goBack = new("--go-back") { Description = "Start the machine anew, with the old kernel, as soon as the new one has not passed in time" };
    private static readonly Option<bool> s_dryRun = new("--dry-run") { Description = "Show everything that would change, and change nothing" };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("install", "Install a kernel that is tried later; the running kernel stays the default, and what fails is taken back") { s_package, s_proof, s_override, s_minutes, s_ask, s_goBack, s_dryRun, s_json };
        command.SetAction((parse, cancellationToken) => KernelBootCommands.WithAsync(parse, services => RunAsync(parse, services, cancellationToken), cancellationToken));
        return command;
    }

    /// <summary>Work of a terminal: programs run in the foreground, lines go to standard error.</summary>
    internal static KernelWork Work(IServiceProvider services, string verb, CancellationToken cancellationToken)
    {
        var commands = services.GetRequiredService<ICommandRunner>();
        void Log(string line) => Console.Error.WriteLine($"{verb}: {StatusCommand.Printable(line)}");

        // What has begun to change the machine is not torn by Ctrl+C.
        return new(ChangeActor.Terminal().Name, Log, async (_, call) => (await commands.RunAsync(new(call.Program, call.Arguments) { Timeout = TimeSpan.FromMinutes(30), Environment = call.Environment, OnLine = line => Log(line.Text) }, CancellationToken.None)).ExitCode, cancellationToken);
    }

    private static async Task<int> RunAsync(ParseResult parse, IServiceProvider services, CancellationToken cancellationToken)
    {
        var installer = services.GetRequiredService<KernelInstaller>();
        var wanted = new KernelInstallParameters(
            Path.GetFullPath(parse.GetValue(s_package)!), parse.GetValue(s_proof) is { } proof ? Path.GetFullPath(proof) : null, parse.GetValue(s_override), parse.GetValue(s_minutes), !parse.GetValue(s_ask), parse.GetValue(s_goBack));
        if (parse.GetValue(s_dryRun))
        {
            var shown = await installer.PlanAsync(wanted, cancellationToken);
            Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(shown, MPSecCommandLine.Json) + "\n" : Text(shown));
            return shown.Refusals.IsEmpty ? CliExitCode.Done : CliExitCode.Failed;
        }

        var work = Work(services, "install", cancellationToken);
        var plan = await installer.CheckAsync(wanted, work);
        await installer.GuardAsync(plan, wanted, work);
        await installer.InstallAsync(plan, work);
        var record = await installer.EntryAsync(plan, work);
        Console.Write(parse.GetValue(s_json) ? JsonSerializer.Serialize(record, MPSecCommandLine.Json) + "\n"
            : $"{record.Release} is installed; the default stays {record.OldRelease}. Try it: mpsec kernel try\n");
        return CliExitCode.Done;
    }

    /// <summary>The plan as a page of text.</summary>
    internal static string Text(KernelInstallPlan plan)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Package      {StatusCommand.Printable(plan.Package.Name)} {plan.Package.Version} ({plan.Package.Architecture}), kernel {plan.Package.Release}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Runs         {plan.Running}, stays installed and stays the default");
        text.AppendLine(CultureInfo.InvariantCulture, $"Boot loader  {plan.BootLoader}");
        text.AppendLine(CultureInfo.InvariantCulture, $"/boot        {plan.BootFreeBytes / 1_000_000} MB free, {plan.BootNeededBytes / 1_000_000} MB needed");
        text.AppendLine(CultureInfo.InvariantCulture, $"Proof        {(plan.Proof is { } proof ? $"passed ({proof.Checks} checks, {proof.Accelerator})" : "– (none)")}").AppendLine().AppendLine("Files");
        foreach (var file in plan.Files)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {file.Path} ({file.What}{(file.Bytes is { } bytes ? $", {bytes:N0} bytes" : "")})");
        }

        text.AppendLine().AppendLine("Settings of the boot loader: now, then installed, then armed");
        foreach (var setting in plan.Settings)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {setting.Name}: {setting.Before ?? "–"} → {setting.Installed ?? "–"}{(setting.Armed is { } armed ? $" → {armed}" : "")}");
        }

        text.AppendLine().AppendLine("Commands");
        foreach (var command in plan.Commands)
        {
            text.AppendLine("  " + StatusCommand.Printable(command));
        }

        text.AppendLine();
        foreach (var warning in plan.Warnings)
        {
            text.AppendLine("note: " + StatusCommand.Printable(warning));
        }

        foreach (var refusal in plan.Refusals)
        {
            text.AppendLine("refused: " + StatusCommand.Printable(refusal));
        }

        return text.ToString();
    }
}
