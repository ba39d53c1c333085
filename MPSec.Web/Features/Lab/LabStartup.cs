using MPSec.Changes;
using MPSec.Data;

namespace MPSec.Features.Lab;

/// <summary>Whether the web program shall make a lab at its start (<c>serve --lab</c>).</summary>
public sealed record LabStartupWish(bool StartLab);

/// <summary>
/// At the start of the web program: ends what a killed one left, resumes wanted transfers, and makes the default lab when that is asked for and none stands.
/// A lab that cannot be made is told in the log; the dashboard starts anyway.
/// </summary>
public sealed partial class LabStartup(LabService labs, LabTransferService transfers, LabStartupWish wish, ILogger<LabStartup> logger) : BackgroundService
{
    private readonly ILogger _logger = logger;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            foreach (var sentence in await labs.RecoverAsync(resume: true, stoppingToken))
            {
                LogRecovered(_logger, sentence);
            }

            var standing = await labs.StatusAsync(stoppingToken);
            if (!wish.StartLab || standing.Any(l => l is { Stage: "standing", Transfer: not null }))
            {
                return;
            }

            var name = standing.FirstOrDefault(l => l.Stage == "standing")?.Name;
            if (name is null)
            {
                await labs.UpAsync(LabSpec.Default, ChangeActor.System, stoppingToken);
                name = LabSpec.Default.Name;
            }

            await transfers.StartAsync(name, new(), ChangeActor.System, stoppingToken);
            LogStarted(_logger, name);
        }
        catch (Exception e) when (e is ChangeException or IOException or StateFolderException or Microsoft.Data.Sqlite.SqliteException)
        {
            LogFailed(_logger, e.Message);
        }
    }

    [LoggerMessage(EventId = 3101, Level = LogLevel.Warning, Message = "Lab: {Sentence}")]
    private static partial void LogRecovered(ILogger logger, string sentence);

    [LoggerMessage(EventId = 3102, Level = LogLevel.Information, Message = "Lab {Name} stands and carries traffic")]
    private static partial void LogStarted(ILogger logger, string name);

    [LoggerMessage(EventId = 3103, Level = LogLevel.Error, Message = "The lab was not made: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
