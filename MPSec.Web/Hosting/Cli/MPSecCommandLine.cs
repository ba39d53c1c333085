using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using MPSec.Data;
using MPSec.Jobs;

namespace MPSec.Hosting.Cli;

/// <summary>The command line: one verb, one file in this folder. Every verb has <c>--help</c>, every reading verb <c>--json</c>.</summary>
public static class MPSecCommandLine
{
    /// <summary>JSON as every verb prints it: camelCase names, enumerations as words, indented.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase), new IPAddressJsonConverter(), new IPEndPointJsonConverter() },
    };

    /// <summary>Folder that holds everything MPSec writes.</summary>
    public static readonly Option<string> State = new("--state")
    {
        Description = "Folder that holds everything MPSec writes",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MPSEC__State") ?? "/var/lib/mpsec",
        Recursive = true,
    };

    private static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(20);

    /// <summary>Machine-readable output.</summary>
    public static Option<bool> JsonOption() => new("--json") { Description = "Print JSON instead of text" };

    /// <summary>Runs the verb that <paramref name="args"/> name and returns the exit code.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        if (args is [ProgramSupervisor.Verb, var plan])
        {
            // Before anything else is set up: this process lives as long as the program it watches, and signals are its own business.
            return await ProgramSupervisor.RunAsync(plan, TimeProvider.System);
        }

        var root = new RootCommand("MPSec: install, configure, secure, measure and explain Multipath TCP on a Linux gateway");
        root.Options.Add(State);
        root.Subcommands.Add(ServeCommand.Create());
        root.Subcommands.Add(StatusCommand.Create());
        root.Subcommands.Add(NetworkCommand.Create());
        root.Subcommands.Add(KernelCommand.Create());
        root.Subcommands.Add(LabCommand.Create());
        root.Subcommands.Add(UserCommand.Create());
        root.Subcommands.Add(TokenCommand.Create());
        root.Subcommands.Add(BenchCommand.Create());
        root.Subcommands.Add(DeadManCommand.Create());
        var parse = root.Parse(args);
        if (parse.Errors.Count > 0)
        {
            foreach (var error in parse.Errors)
            {
                await Console.Error.WriteLineAsync("mpsec: " + error.Message);
            }

            await Console.Error.WriteLineAsync("mpsec: see 'mpsec --help'");
            return CliExitCode.Usage;
        }

        try
        {
            return await InvokeAsync(parse);
        }
        catch (CliException e)
        {
            await Console.Error.WriteLineAsync("mpsec: " + e.Message);
            return e.ExitCode;
        }
        catch (StateFolderException e)
        {
            await Console.Error.WriteLineAsync("mpsec: " + e.Message);
            return e.Fault is StateFolderFault.NotWritable ? CliExitCode.NotPermitted : CliExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            return CliExitCode.Failed;
        }
    }

    // A verb is asked to end by the first signal and has some time to clean up. More of them change nothing: a terminal, timeout(1) and systemd may each send one, and
    // System.CommandLine's own handling, switched off here, ends the program with an exception at the second.
    private static async Task<int> InvokeAsync(ParseResult parse)
    {
        using var stop = new CancellationTokenSource();
        var ending = false;
        var late = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => End(context, 143));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => End(context, 130));
        var work = parse.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token);
        return await await Task.WhenAny(work, late.Task);

        void End(PosixSignalContext context, int exitCode)
        {
            context.Cancel = true;
            if (Interlocked.Exchange(ref ending, true))
            {
                return;
            }

            _ = EndAsync();

            async Task EndAsync()
            {
                await stop.CancelAsync();
                await Task.Delay(s_endLimit);
                late.TrySetResult(exitCode);
            }
        }
    }
}
