using MPSec.Components.Layout;
using MPSec.Features.Jobs;
using MPSec.Features.Kernel;
using MPSec.Hosting.Shell;
using MPSec.Jobs;

namespace MPSec.Hosting;

/// <summary>Puts together what is about jobs: the kinds that features bring, the pages, the number beside the menu.</summary>
public static class JobsSetup
{
    /// <summary>Registers it; needs Data, Changes and the shell.</summary>
    public static IServiceCollection AddJobs(this IServiceCollection services) => services
        .AddMPSecJobs()
        .AddJobKinds()
        .AddScoped<JobTitles>()
        .AddScoped<JobActions>()
        .AddSingleton(new MenuEntry(MenuOrder.Jobs, "jobs", "jobs", typeof(JobsTexts), "Menu", shell => shell.RunningJobs))
        .AddHostedService<JobCounter>();

    /// <summary>Every kind of job: whoever runs workers must know all of them, for it takes up what another one left.</summary>
    public static IServiceCollection AddJobKinds(this IServiceCollection services) => services
        .AddSingleton<IJobKind, SetUpPackages>()
        .AddKernelBuilds()
        .AddKernelBoot()
        .AddSingleton<IJobKind, KernelInstallJob>()
        .AddSingleton<IJobKind, KernelRemoveJob>();
}

/// <summary>Keeps the number of queued and running jobs that the frame around every page shows.</summary>
internal sealed partial class JobCounter(JobEngine engine, JobFeed feed, ShellState shell, ILogger<JobCounter> logger) : BackgroundService
{
    private const int Most = 500;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var news = feed.ListenAsync(stoppingToken);
        await CountAsync(stoppingToken);
        await foreach (var item in news)
        {
            if (item.Change == JobChange.Run)
            {
                await CountAsync(stoppingToken);
            }
        }
    }

    private async Task CountAsync(CancellationToken stoppingToken)
    {
        try
        {
            var queued = await engine.ListAsync(null, JobState.Queued, null, Most, stoppingToken);
            var running = await engine.ListAsync(null, JobState.Running, null, Most, stoppingToken);
            shell.SetRunningJobs(queued.Count + running.Count);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A database that is busy for long must not end the program: the next change counts again.
            LogUncounted(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Running jobs could not be counted")]
    private partial void LogUncounted(Exception e);
}
