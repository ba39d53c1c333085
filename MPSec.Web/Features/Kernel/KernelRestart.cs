using MPSec.Changes;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>Starts the machine anew; the seam for tests, which never do.</summary>
public interface IKernelRestart
{
    /// <summary>Asks for it and returns; the machine goes down soon after.</summary>
    /// <exception cref="ChangeException">The system refused.</exception>
    Task RestartAsync(CancellationToken cancellationToken);
}

/// <summary>By systemd where it runs, else by reboot(8).</summary>
public sealed class KernelRestart(ICommandRunner commands) : IKernelRestart
{
    /// <inheritdoc/>
    public async Task RestartAsync(CancellationToken cancellationToken)
    {
        // sd_booted(3): this folder is there when systemd is the first process.
        var request = Directory.Exists("/run/systemd/system") ? new CommandRequest("systemctl", "reboot") : new CommandRequest("reboot");
        var done = await commands.RunAsync(request, cancellationToken);
        if (!done.Succeeded)
        {
            throw new ChangeException(ChangeFault.Refused, $"{request.Program} failed with exit code {done.ExitCode}: {done.Error.Trim()}");
        }
    }
}
