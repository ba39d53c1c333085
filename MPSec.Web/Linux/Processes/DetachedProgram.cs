namespace MPSec.Linux.Processes;

/// <summary>Starts a program that outlives the one that starts it.</summary>
public sealed class DetachedProgram(ICommandRunner commands)
{
    /// <summary>
    /// Starts a program as the leader of a new session. Under systemd it becomes a transient unit, because a service that stops takes its whole control
    /// group with it; elsewhere setsid(1) forks and the program belongs to init. Returns when it is started, not when it ends.
    /// </summary>
    /// <param name="unit">Name of the transient unit: letters, digits and dashes.</param>
    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="cancellationToken">Stops waiting for the start.</param>
    /// <exception cref="IOException">It could not be started.</exception>
    public async Task StartAsync(string unit, string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var launch = Launch(unit, program, arguments, Directory.Exists("/run/systemd/system") && LibC.GetEffectiveUserId() == 0);
        var result = await commands.RunAsync(launch, cancellationToken);
        if (!result.Succeeded)
        {
            throw new IOException($"{program} could not be started by {launch.Program} (exit code {result.ExitCode}): {result.Error.Trim()}");
        }
    }

    // The program keeps the pipe for as long as it lives.
    private static readonly TimeSpan s_drain = TimeSpan.FromMilliseconds(200);

    internal static CommandRequest Launch(string unit, string program, IReadOnlyList<string> arguments, bool systemd) => systemd
        ? new("systemd-run", ["--quiet", "--collect", "--no-ask-password", $"--unit={unit}", "--", program, .. arguments])
        : new("setsid", ["--fork", "--", program, .. arguments]) { Environment = DotnetRoot(), Drain = s_drain };

    // The apphost finds a runtime that is not in a usual place only by this variable.
    private static Dictionary<string, string> DotnetRoot() =>
        Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root ? new() { ["DOTNET_ROOT"] = root } : [];
}
