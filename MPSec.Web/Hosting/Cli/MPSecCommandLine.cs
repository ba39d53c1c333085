using System.CommandLine;
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
            return await parse.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(20) });
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
}
