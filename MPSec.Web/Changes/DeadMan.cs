using System.Data.Common;
using System.Net.Sockets;
using MPSec.Changes.Kernel;
using MPSec.Data;

namespace MPSec.Changes;

/// <summary>
/// Guards checked changes until they have ended, and undoes one when nobody confirms it in time or the process that applies it ends. Keeps nothing of its own:
/// everything it needs is in the journal. Starting a process takes a second, so it stays for a while and waits to be called for the next change.
/// </summary>
public sealed class DeadMan(ChangeService changes, ChangeJournal journal, IHostKernel kernel, StateFolder folder, TimeProvider time)
{
    /// <summary>How long it stays after the last change: a person who works on a gateway needs it again and again.</summary>
    public static readonly TimeSpan Stay = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_idleLook = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Guards <paramref name="first"/> and whatever it is called for afterwards; returns when it was not needed for <see cref="Stay"/>. A cancelled
    /// <paramref name="stop"/> (the process is told to end) undoes at once what it guards.
    /// </summary>
    /// <param name="first">The change that it was started for.</param>
    /// <param name="stop">Told to end.</param>
    /// <param name="rest">Called when nothing is guarded any more, and it stays.</param>
    /// <returns>False when it was not needed: the change has ended, has another dead-man, or is not of this network namespace.</returns>
    public async Task<bool> RunAsync(Guid first, CancellationToken stop, Action? rest = null)
    {
        // Everything that will be needed is used once before this process says that it stands ready.
        if (await journal.OperationsAsync(first, stop) is not { } operations)
        {
            return false;
        }

        try
        {
            _ = kernel.Facts(operations);
        }
        catch (ChangeException)
        {
            // The process that applies them will meet the same and say so.
        }

        // Also the place is taken before: the next change may follow at once.
        using var post = DeadManPost.TryTake(folder);
        if (!await journal.RegisterGuardAsync(first, stop))
        {
            return false;
        }

        var guarded = new List<Task> { WatchAsync(first, stop) };
        if (post is not null)
        {
            await ServeAsync(post, guarded, rest, stop);
            post.Dispose();
        }

        await Task.WhenAll(guarded);
        return true;
    }

    private async Task ServeAsync(DeadManPost post, List<Task> guarded, Action? rest, CancellationToken stop)
    {
        var idleSince = time.GetTimestamp();
        while (!stop.IsCancellationRequested && post.IsStanding)
        {
            if (guarded.RemoveAll(watch => watch.IsCompleted) > 0 && guarded.Count == 0)
            {
                idleSince = time.GetTimestamp();
                rest?.Invoke();
            }

            var left = Stay - time.GetElapsedTime(idleSince);
            if (guarded.Count == 0 && left <= TimeSpan.Zero)
            {
                return;
            }

            using var look = CancellationTokenSource.CreateLinkedTokenSource(stop);
            using var timer = new CancellationTokenSource(guarded.Count > 0 ? s_look : left < s_idleLook ? left : s_idleLook, time);
            using var both = timer.Token.Register(look.Cancel);
            try
            {
                if (!await post.AnswerAsync(change => TakeOverAsync(change, guarded, stop), look.Token))
                {
                    return;
                }
            }
            catch (OperationCanceledException)
            {
                // Nobody called.
            }
            catch (SocketException)
            {
                return; // What is guarded stays guarded; the next change gets a dead-man of its own.
            }
        }
    }

    private async Task<bool> TakeOverAsync(Guid change, List<Task> guarded, CancellationToken stop)
    {
        try
        {
            if (!await journal.RegisterGuardAsync(change, stop))
            {
                return false;
            }
        }
        catch (DbException)
        {
            return false;
        }

        guarded.Add(WatchAsync(change, stop));
        return true;
    }

    private async Task WatchAsync(Guid change, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                if (!await changes.AttendAsync(change, stop.IsCancellationRequested))
                {
                    return;
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
