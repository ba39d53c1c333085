using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace MPSec.Jobs;

/// <summary>What changed about a run.</summary>
public enum JobChange
{
    /// <summary>Its row, its steps or its history.</summary>
    Run,

    /// <summary>Percent or activity of its current step.</summary>
    Progress,

    /// <summary>Its log has grown.</summary>
    Log,
}

/// <summary>One change of one run; what is new is read from the database, from <see cref="JobFeed.Progress"/> or from the log.</summary>
/// <param name="Run">The run.</param>
/// <param name="Change">What changed.</param>
public readonly record struct JobNews(long Run, JobChange Change);

/// <summary>Progress of the current step of a running job.</summary>
/// <param name="Percent">0 to 100; null when it cannot be told.</param>
/// <param name="Activity">What is being done, in a few words.</param>
public sealed record JobProgress(double? Percent, string? Activity);

/// <summary>Tells whoever looks that runs go on, without asking the database each time.</summary>
public sealed class JobFeed
{
    private readonly ConcurrentDictionary<Channel<JobNews>, byte> _listeners = new();
    private readonly ConcurrentDictionary<long, JobProgress> _progress = new();

    /// <summary>Progress of a run that runs in this process; null for others.</summary>
    public JobProgress? Progress(long run) => _progress.GetValueOrDefault(run);

    /// <summary>
    /// News from now on: listening begins with the call, not with the first reading. A listener that does not keep up misses the oldest of 256; it reads the
    /// state anew with any of them, so nothing is wrong for long.
    /// </summary>
    public IAsyncEnumerable<JobNews> ListenAsync(CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<JobNews>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        _listeners[channel] = 0;
        cancellationToken.Register(() => _listeners.TryRemove(channel, out _));
        return ReadAsync(channel, cancellationToken);
    }

    internal int Listeners => _listeners.Count;

    internal void Publish(long run, JobChange change)
    {
        foreach (var (listener, _) in _listeners)
        {
            listener.Writer.TryWrite(new(run, change));
        }
    }

    internal void Publish(long run, JobProgress progress)
    {
        _progress[run] = progress;
        Publish(run, JobChange.Progress);
    }

    internal void Forget(long run) => _progress.TryRemove(run, out _);

    private async IAsyncEnumerable<JobNews> ReadAsync(Channel<JobNews> channel, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var news in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return news;
            }
        }
        finally
        {
            _listeners.TryRemove(channel, out _);
        }
    }
}
