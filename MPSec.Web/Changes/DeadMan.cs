using System.Data.Common;
using MPSec.Changes.Kernel;

namespace MPSec.Changes;

/// <summary>
/// Guards one checked change until it has ended, and undoes it when nobody confirms it in time or the process that applies it ends. Keeps nothing of its
/// own: everything it needs is in the journal.
/// </summary>
public sealed class DeadMan(ChangeService changes, ChangeJournal journal, IHostKernel kernel, TimeProvider time)
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);

    /// <summary>Returns when the change has ended. A cancelled <paramref name="stop"/> (the process is told to end) undoes it at once.</summary>
    /// <returns>False when it was not needed: the change has ended, has another dead-man, or is not of this network namespace.</returns>
    public async Task<bool> GuardAsync(Guid change, CancellationToken stop)
    {
        // Everything that will be needed is used once before this process says that it stands ready.
        if ((await journal.UnendedChecksAsync(stop)).FirstOrDefault(i => i.Id == change) is not { } intent)
        {
            return false;
        }

        _ = kernel.Facts([.. intent.Steps.Select(s => OperationJson.Read(s.Operation))]);
        if (!await journal.RegisterGuardAsync(change, stop))
        {
            return false;
        }

        while (true)
        {
            try
            {
                if (!await changes.AttendAsync(change, stop.IsCancellationRequested))
                {
                    return true;
                }
            }
            catch (DbException)
            {
                // Locked or full for a moment: the next look may succeed, and there is nobody else who could do this.
            }

            await Task.Delay(s_look, time, CancellationToken.None);
        }
    }
}
