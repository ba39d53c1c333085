using System.Globalization;
using MPSec.Data;
using MPSec.Linux.Processes;

namespace MPSec.Changes;

/// <summary>Finds the process that undoes a change which nobody confirms. Tests put a fake here.</summary>
public interface IDeadManStart
{
    /// <summary>Calls the one that lives, or starts one; it tells in the journal when it stands ready.</summary>
    /// <exception cref="IOException">It cannot be started.</exception>
    Task StartAsync(Guid change, CancellationToken cancellationToken);
}

/// <summary>
/// <c>mpsec dead-man --state DIR --change ID</c> in a session of its own: it outlives the web process, however that one ends. One that is still there from the
/// change before, and of the same build, is called instead.
/// </summary>
public sealed class DetachedDeadMan(DetachedProgram detached, StateFolder folder) : IDeadManStart
{
    /// <summary>The hidden verb.</summary>
    public const string Verb = "dead-man";

    private static int s_starts;

    /// <inheritdoc/>
    public async Task StartAsync(Guid change, CancellationToken cancellationToken)
    {
        if (await DeadManPost.CallAsync(folder, change, cancellationToken))
        {
            return;
        }

        var launcher = Path.Combine(AppContext.BaseDirectory, "mpsec");
        var (program, before) = File.Exists(launcher) ? (launcher, (string[])[]) : (Environment.ProcessPath!, [Path.Combine(AppContext.BaseDirectory, "mpsec.dll")]);

        // A second dead-man of the same change must not fail because the unit of the first one is still there.
        var unit = string.Create(CultureInfo.InvariantCulture, $"mpsec-dead-man-{change:N}-{Environment.ProcessId}-{Interlocked.Increment(ref s_starts)}");
        await detached.StartAsync(unit, program, [.. before, Verb, "--state", folder.Root, "--change", change.ToString()], cancellationToken);
    }
}
