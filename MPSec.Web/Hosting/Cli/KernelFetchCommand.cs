using System.CommandLine;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Kernel;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec kernel fetch</c>: fetches the source of a kernel, checks it and unpacks it into a folder.</summary>
internal static class KernelFetchCommand
{
    private static readonly Option<string> s_into = new("--into") { Description = "Folder for it: one that does not exist, is empty, or was made by an earlier call, which is then gone on with", Required = true };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    public static Command Create()
    {
        var command = new Command("fetch", "Fetch a kernel's source, check who made it and unpack it; called again after an interruption it goes on. Exit code 1 when it must not be used") { s_into, s_json };
        KernelSourceOptions.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var request = KernelSourceOptions.Read(parse);
        if (request.Check() is { } fault)
        {
            throw new CliException(CliExitCode.Usage, fault);
        }

        if (request.AllowUnsigned)
        {
            return await CliServices.RunAsync(parse, _ => { }, services => FetchAsync(parse, request, services, cancellationToken), cancellationToken, recover: false);
        }

        // Without a line for the audit log no state folder is needed.
        var none = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddMPSecData(parse.GetValue(MPSecCommandLine.State)!).AddMPSecChanges().BuildServiceProvider();
        await using (none)
        {
            return await FetchAsync(parse, request, none, cancellationToken);
        }
    }

    private static async Task<int> FetchAsync(ParseResult parse, KernelSourceRequest request, IServiceProvider services, CancellationToken cancellationToken)
    {
        var said = "";
        KernelSource source;
        try
        {
            source = await new KernelSourceFetcher(services.GetRequiredService<ICommandRunner>(), services.GetRequiredService<AuditLog>(), TimeProvider.System).FetchAsync(
                request, Path.GetFullPath(parse.GetRequiredValue(s_into)), Environment.UserName + " (terminal)", Say, (percent, what) => Say(percent is { } known ? $"{what} ({Math.Floor(known / 10) * 10:0} %)" : what), cancellationToken);
        }
        catch (ProgramMissingException e)
        {
            throw new CliException(CliExitCode.NotAvailable, e.Message);
        }
        catch (KernelSourceRefusedException e)
        {
            throw new CliException(CliExitCode.Failed, $"kernel fetch: refused ({e.Verdict}): {StatusCommand.Printable(e.Message)}");
        }
        catch (IOException e)
        {
            throw new CliException(CliExitCode.Failed, $"kernel fetch: {StatusCommand.Printable(e.Message)}");
        }

        await Console.Out.WriteAsync(parse.GetValue(s_json)
            ? JsonSerializer.Serialize(source, MPSecCommandLine.Json) + "\n"
            : $"""
              Linux {source.Version}
                tree     {StatusCommand.Printable(source.Tree)}
                origin   {StatusCommand.Printable(source.Origin)}
                vouched  {StatusCommand.Printable(source.Authenticity)}
                sha256   {source.Sha256 ?? "– (a repository)"}

              """);
        return CliExitCode.Done;

        void Say(string line)
        {
            if (line != said)
            {
                Console.Error.WriteLine("fetch: " + StatusCommand.Printable(said = line));
            }
        }
    }
}
