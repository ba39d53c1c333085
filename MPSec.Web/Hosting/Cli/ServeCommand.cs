using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using MPSec.Data;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec serve</c>: the web program.</summary>
public static class ServeCommand
{
    private static readonly Option<string?> s_urls = new("--urls") { Description = "Addresses to listen on, separated by semicolons [default: http://127.0.0.1:8080]" };
    private static readonly Option<string?> s_pathBase = new("--path-base") { Description = "Path under which a reverse proxy shows MPSec, for example /mpsec" };
    private static readonly Option<bool> s_lab = new("--lab") { Description = "Bring up the lab with four paths and live traffic when no lab stands" };

    // A verb of the command line has the folder for less than a second, and for some seconds while a slow machine starts.
    private static readonly TimeSpan s_verbs = TimeSpan.FromSeconds(15);

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var command = new Command("serve", "Run the dashboard") { s_urls, s_pathBase, s_lab };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parse, CancellationToken cancellationToken)
    {
        var options = new MPSecOptions();
        new ConfigurationBuilder()
            .AddJsonFile("/etc/mpsec/appsettings.json", optional: true)
            .AddEnvironmentVariables("MPSEC__")
            .Build()
            .Bind(options);
        if (parse.GetResult(MPSecCommandLine.State) is { Implicit: false })
        {
            options.State = parse.GetValue(MPSecCommandLine.State)!;
        }

        options.Urls = parse.GetValue(s_urls) ?? options.Urls;
        options.PathBase = parse.GetValue(s_pathBase) ?? options.PathBase;
        options.StartLab |= parse.GetValue(s_lab);
        if (new MPSecOptionsValidator().Validate(null, options) is { Failed: true } faults)
        {
            throw new CliException(CliExitCode.Configuration, string.Join(Environment.NewLine + "mpsec: ", faults.Failures));
        }

        await using var app = MPSecApp.Build(options);
        await PrepareAsync(app.Services.GetRequiredService<DatabaseStart>(), cancellationToken);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            throw new CliException(CliExitCode.Failed, $"urls: an address of {options.Urls} is in use; stop the other program or choose another port with --urls");
        }
        catch (SocketException e)
        {
            throw new CliException(CliExitCode.Failed, $"urls: cannot listen on {options.Urls}: {e.Message}");
        }

        Console.WriteLine($"MPSec listens on {string.Join(", ", app.Urls)}");
        await app.WaitForShutdownAsync(cancellationToken);
        return CliExitCode.Done;
    }

    /// <summary>Makes the state folder ready. A verb of the command line has it for the moment in which it does the same, as at boot: that is waited for; another server is not.</summary>
    internal static async Task PrepareAsync(DatabaseStart start, CancellationToken cancellationToken)
    {
        for (var begin = Stopwatch.GetTimestamp(); ; await Task.Delay(100, cancellationToken))
        {
            try
            {
                await start.PrepareAsync(cancellationToken);
                return;
            }
            catch (StateFolderException e) when (e.Fault == StateFolderFault.InUse && Stopwatch.GetElapsedTime(begin) < s_verbs && !IsServer(e.Holder))
            {
                // The next look is in a moment.
            }
        }
    }

    // By its arguments (proc(5)): a process that has ended, or is another one by now, is none.
    private static bool IsServer(int? process)
    {
        try
        {
            return process is { } id && File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/cmdline")).Split('\0').Contains("serve");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
