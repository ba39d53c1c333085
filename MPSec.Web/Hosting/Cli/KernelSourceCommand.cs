using System.CommandLine;
using System.Text.Json;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel check-source</c>: whether a kernel's source is authentic; unpacks nothing.</summary>
internal static class KernelSourceCommand
{
    private static readonly Argument<string> s_archive = new("ARCHIVE") { Description = "The archive: .tar, .tar.gz or .tar.xz" };
    private static readonly Option<string?> s_signature = new("--signature") { Description = "Its detached signature over the uncompressed tar; ARCHIVE without its last ending and with .sign when nothing is said" };
    private static readonly Option<string?> s_keyring = new("--keyring") { Description = "The keys to trust, as gpg --export writes them; those of kernel.org when nothing is said" };
    private static readonly Option<string> s_version = new("--version-wanted") { Description = "The version it must be, such as 6.12.48", Required = true };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("check-source", "Check the signature, the version and the names of a kernel's source archive, and unpack nothing; exit code 1 when it must not be used") { s_archive, s_signature, s_keyring, s_version, s_json };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var archive = Path.GetFullPath(parse.GetValue(s_archive)!);
        if (parse.GetValue(s_version) is not { } version || version.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-')) || version.Split('.').Length < 2)
        {
            throw new CliException(CliExitCode.Usage, "--version-wanted: must be a version such as 6.12.48");
        }

        var work = Path.Combine(parse.GetValue(MPSecCommandLine.State)!, "kernel", "check-" + Guid.NewGuid().ToString("N"));
        try
        {
            Directory.CreateDirectory(work, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var keyring = parse.GetValue(s_keyring);
            if (keyring is null)
            {
                KernelKeyring.Write(keyring = Path.Combine(work, "keys.gpg"));
            }

            var result = await new KernelSourceCheck(new CommandRunner(TimeProvider.System))
                .RunAsync(archive, parse.GetValue(s_signature) ?? KernelSourceRequest.SignatureOf(archive), keyring, version, work, allowUnsigned: false, cancellationToken);
            Console.Write(parse.GetValue(s_json)
                ? JsonSerializer.Serialize(new { result.Verdict, result.Sentence, result.Signer }, MPSecCommandLine.Json) + "\n"
                : $"{result.Verdict}: {StatusCommand.Printable(result.Sentence)}{(result.Signer is { } signer ? $" ({signer})" : "")}\n");
            return result.Verdict == KernelSourceVerdict.Authentic ? CliExitCode.Done : CliExitCode.Failed;
        }
        catch (ProgramMissingException e)
        {
            throw new CliException(CliExitCode.NotAvailable, e.Message);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CliException(CliExitCode.NotPermitted, e.Message);
        }
        catch (IOException e)
        {
            throw new CliException(CliExitCode.Failed, e.Message);
        }
        finally
        {
            if (Directory.Exists(work))
            {
                Directory.Delete(work, recursive: true);
            }
        }
    }
}
