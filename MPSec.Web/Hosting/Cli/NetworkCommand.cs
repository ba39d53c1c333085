using System.CommandLine;
using MPSec.Linux.Gateways;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec network</c>: paths, routing and the saved configuration of a gateway.</summary>
public static class NetworkCommand
{
    /// <summary>The verb with its subcommands.</summary>
    public static Command Create() => new("network", "Paths, routing and the saved configuration of a gateway")
    {
        NetworkShowCommand.Create(), NetworkExportCommand.Create(), NetworkApplyCommand.Create(), NetworkHistoryCommand.History(), NetworkHistoryCommand.Diff(), NetworkHistoryCommand.Revert(),
        NetworkRollbackCommand.Create(),
    };

    internal static Option<string> GatewayOption() => new("--gateway", "-g") { Description = "host, or the name of a network namespace", DefaultValueFactory = _ => "host" };

    internal static Option<bool> DryRunOption() => new("--dry-run") { Description = "Show the commands and their inverse, change nothing" };

    internal static Option<string?> ConfirmOption() => new("--confirm")
    {
        Description = "Undo everything unless Enter is pressed within so many seconds, 10 to 600: for a session over the network that is being changed",
    };

    internal static GatewayName Gateway(ParseResult parse, Option<string> option) =>
        GatewayName.TryParse(parse.GetValue(option), out var gateway, out var error) ? gateway : throw new CliException(CliExitCode.Usage, error!);

    internal static void RequireRoot(string verb)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            throw new CliException(CliExitCode.NotPermitted, $"network {verb}: needs root to change a gateway; run it with sudo");
        }
    }

    /// <summary>Seconds as typed; null when not given.</summary>
    internal static TimeSpan? Seconds(string? text, string option, int least, int most) => text is null ? null
        : double.TryParse(text, System.Globalization.NumberStyles.AllowDecimalPoint, System.Globalization.CultureInfo.InvariantCulture, out var seconds) && seconds >= least && seconds <= most
            ? TimeSpan.FromSeconds(seconds)
            : throw new CliException(CliExitCode.Usage, $"{option}: '{text}' must be a number of seconds from {least} to {most}");

    /// <summary>Turns a gateway that is not there into an exit code.</summary>
    internal static async Task<T> WithGatewayAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (NamespaceException e)
        {
            throw new CliException(e.IsGone ? CliExitCode.Failed : CliExitCode.NotPermitted, e.IsGone
                ? $"{e.Message}; gateways here: {string.Join(", ", NamespaceThread.List().Select(n => n.Value).Prepend("host"))}"
                : e.Message);
        }
    }

    internal static GatewayReading Read(GatewayName gateway)
    {
        using var reader = GatewayReader.Open(gateway);
        return reader.Read();
    }
}
