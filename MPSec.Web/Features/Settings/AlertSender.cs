using System.Threading.Channels;

namespace MPSec.Features.Settings;

/// <summary>A way by which alerts leave the machine.</summary>
public interface IAlertChannel
{
    /// <summary>Where to, without anything secret; null when nobody set it up.</summary>
    string? Target { get; }

    /// <summary>Sends a message; null when it was taken, else one sentence why not, without anything secret.</summary>
    Task<string?> SendAsync(AlertMessage message, CancellationToken cancellationToken);
}

/// <summary>Sends alerts over every channel, each at its own pace. What cannot be delivered is tried again twice; at most 100 messages wait per channel.</summary>
public sealed partial class AlertSender(IEnumerable<IAlertChannel> channels, TimeProvider time, ILogger<AlertSender> logger) : BackgroundService
{
    private const int Tries = 3;
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);

    private readonly (IAlertChannel Channel, Channel<AlertMessage> Waiting)[] _queues =
        [.. channels.Select(c => (c, Channel.CreateBounded<AlertMessage>(new BoundedChannelOptions(100) { FullMode = BoundedChannelFullMode.DropOldest })))];

    /// <summary>Has a change sent soon; never waits.</summary>
    public void Tell(AlertChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        foreach (var (_, waiting) in _queues)
        {
            waiting.Writer.TryWrite(new(Environment.MachineName, change.Raised ? "raised" : "cleared", change.Key.Rule, change.Key.Gateway, change.Key.Subject, change.Value, change.At));
        }
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(_queues.Select(q => RunAsync(q.Channel, q.Waiting.Reader, stoppingToken)));

    [LoggerMessage(EventId = 3020, Level = LogLevel.Warning, Message = "An alert was not taken by {Target} (try {Attempt}): {Problem}")]
    private static partial void LogNotSent(ILogger logger, string target, int attempt, string problem);

    // A library that fails in a way of its own must not end the program.
    private static async Task<string?> TrySendAsync(IAlertChannel channel, AlertMessage message, CancellationToken stoppingToken)
    {
        try
        {
            return await channel.SendAsync(message, stoppingToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return e.GetType().Name;
        }
    }

    private async Task RunAsync(IAlertChannel channel, ChannelReader<AlertMessage> waiting, CancellationToken stoppingToken)
    {
        await foreach (var message in waiting.ReadAllAsync(stoppingToken))
        {
            for (var attempt = 1; attempt <= Tries && channel.Target is { } target; attempt++)
            {
                if (await TrySendAsync(channel, message, stoppingToken) is not { } problem)
                {
                    break;
                }

                LogNotSent(logger, target, attempt, problem);
                await Task.Delay(attempt == Tries ? TimeSpan.Zero : s_pause * attempt, time, stoppingToken);
            }
        }
    }
}
