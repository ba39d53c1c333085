using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;
using MPSec.Linux.Procfs;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel prove</c>: starts a kernel in a virtual machine and shows what it can do before it is trusted with this one.</summary>
internal static class KernelProveCommand
{
    private static readonly Option<string?> s_release = new("--release") { Description = "An installed kernel, as uname -r names it; the running one when nothing is said" };
    private static readonly Option<string?> s_package = new("--package") { Description = "A Debian package of a kernel image; it is not installed" };
    private static readonly Option<string?> s_promised = new("--promised") { Description = "A fragment of options that the kernel must have been made with" };
    private static readonly Option<string?> s_report = new("--report") { Description = "Write the result as JSON to this file too" };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("prove", "Start a kernel in a virtual machine and try everything that MPSec needs, with a transfer over two paths; exit code 1 when something does not work") { s_release, s_package, s_promised, s_report, s_json };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        if (KernelProver.NotAvailable is { } reason)
        {
            throw new CliException(CliExitCode.NotAvailable, reason);
        }

        var commands = new CommandRunner(TimeProvider.System);
        var prover = new KernelProver(commands);
        if (prover.MissingPackages() is { Count: > 0 } missing)
        {
            throw new CliException(CliExitCode.NotAvailable, $"these packages are needed to prove a kernel: {string.Join(", ", missing)}");
        }

        if (parse.GetValue(s_release) is not null && parse.GetValue(s_package) is not null)
        {
            throw new CliException(CliExitCode.Usage, "--release and --package cannot be given together");
        }

        var promised = parse.GetValue(s_promised) is { } fragment ? Promised(fragment) : null;
        var folder = Directory.CreateTempSubdirectory("mpsec-kernel-").FullName;
        try
        {
            var package = parse.GetValue(s_package);
            var hash = package is null ? null : await KernelPackageFile.HashAsync(package, cancellationToken);
            var kernel = package is not null
                ? await KernelProofKernel.OfPackageAsync(package, folder, commands, cancellationToken)
                : KernelProofKernel.Installed(parse.GetValue(s_release) ?? KernelRelease.Read() ?? "");
            var proof = await prover.RunAsync(kernel, promised, line => Console.Error.WriteLine("prove: " + StatusCommand.Printable(line)), cancellationToken) with { Sha256 = hash };
            if (parse.GetValue(s_report) is { } report)
            {
                // Whole or not at all: who finds it may trust it.
                await File.WriteAllTextAsync(report + ".new", JsonSerializer.Serialize(proof, MPSecCommandLine.Json), cancellationToken);
                File.Move(report + ".new", report, overwrite: true);
            }

            await Console.Out.WriteAsync(parse.GetValue(s_json) ? JsonSerializer.Serialize(proof, MPSecCommandLine.Json) + "\n" : Text(proof));
            return proof.Passed ? CliExitCode.Done : CliExitCode.Failed;
        }
        catch (ArgumentException e)
        {
            throw new CliException(CliExitCode.Usage, e.Message.Split(" (Parameter", 2)[0]);
        }
        catch (IOException e)
        {
            throw new CliException(CliExitCode.Failed, $"kernel prove: {e.Message}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static KernelFragment Promised(string file)
    {
        try
        {
            return KernelFragment.TryParse(File.ReadAllText(file), out var error) ?? throw new CliException(CliExitCode.Usage, $"--promised: {error}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(CliExitCode.Failed, $"--promised: {e.Message}");
        }
    }

    /// <summary>The proof as a page of text.</summary>
    internal static string Text(KernelProof proof)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{StatusCommand.Printable(proof.Expected)}: {(proof.Passed ? "proved" : "NOT proved")} in a virtual machine ({proof.Accelerator}, {proof.Seconds:0} s)").AppendLine();
        foreach (var check in proof.Checks.Where(c => c.Name is not ("end" or "one path" or "two paths" or "joins")))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {(check.Passed ? "ok  " : "FAIL")} {StatusCommand.Printable(check.Name),-40} {StatusCommand.Printable(check.Detail)}");
        }

        text.AppendLine(CultureInfo.InvariantCulture, $"  transfer: one path {proof.OnePathMbit?.ToString("0.0", CultureInfo.InvariantCulture) ?? "–"} Mbit/s, two paths {proof.TwoPathsMbit?.ToString("0.0", CultureInfo.InvariantCulture) ?? "–"} Mbit/s, {proof.Joins} subflows joined");
        foreach (var fault in proof.Faults)
        {
            text.AppendLine("  fault: " + StatusCommand.Printable(fault));
        }

        return text.ToString();
    }
}
