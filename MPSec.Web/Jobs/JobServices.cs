using System.Collections.Concurrent;
using Hangfire;
using Hangfire.AspNetCore;
using Hangfire.InMemory;
using Hangfire.Logging;
using Hangfire.States;
using Microsoft.Extensions.DependencyInjection.Extensions;
using MPSec.Linux.Processes;

namespace MPSec.Jobs;

/// <summary>Registers the Jobs room.</summary>
public static class JobServices
{
    /// <summary>
    /// Adds <see cref="JobEngine"/> and <see cref="JobFeed"/>, the recovery of unfinished runs, and after it the workers. Hangfire only executes: what it keeps
    /// is in memory and may be lost at any moment, the rows are the truth. Its dashboard is not mapped.
    /// </summary>
    public static IServiceCollection AddMPSecJobs(this IServiceCollection services)
    {
        services.AddSingleton<JobFeed>();
        services.AddSingleton<JobKinds>();
        services.AddSingleton<JobLedger>();
        services.AddSingleton<JobQueue>();
        services.AddSingleton<JobCancellations>();
        services.TryAddSingleton<DetachedProgram>();
        services.AddSingleton<SupervisedProcess>();
        services.AddSingleton<JobEngine>();
        services.AddSingleton<JobWorker>();
        services.TryAddSingleton<ICommandRunner, CommandRunner>();

        // Registered here, because Hangfire's own way sets statics: two programs in one process would mix their queues and workers.
        services.AddSingleton<JobActivator>(provider => new AspNetCoreJobActivator(provider.GetRequiredService<IServiceScopeFactory>()));
        services.AddSingleton<JobStorage>(_ => new InMemoryStorage(new InMemoryStorageOptions { MaxExpirationTime = TimeSpan.FromMinutes(5) }));
        services.AddHangfire((provider, configuration) => configuration.UseSimpleAssemblyNameTypeSerializer().UseRecommendedSerializerSettings().UseLogProvider(new LastingLog(provider.GetRequiredService<ILoggerFactory>())));
        services.AddHostedService<JobRecovery>();
        services.AddHostedService<JobPickup>();
        services.AddHangfireServer(options => Configure(options, JobLane.Long));
        services.AddHangfireServer(options => Configure(options, JobLane.Chores));
        return services;
    }

    private static void Configure(BackgroundJobServerOptions options, JobLane lane)
    {
        options.ServerName = "mpsec-" + JobQueue.NameOf(lane);
        options.Queues = [JobQueue.NameOf(lane)];
        options.WorkerCount = 2;
        options.SchedulePollingInterval = TimeSpan.FromSeconds(15);
    }
}

/// <summary>Hangfire keeps one log for the whole process, that of the program that came last; when that has ended, the others must go on without.</summary>
internal sealed class LastingLog(ILoggerFactory loggers) : ILogProvider
{
    private readonly AspNetCoreLogProvider _inner = new(loggers);

    /// <inheritdoc/>
    public ILog GetLogger(string name)
    {
        try
        {
            return _inner.GetLogger(name);
        }
        catch (ObjectDisposedException)
        {
            return new Nothing();
        }
    }

    private sealed class Nothing : ILog
    {
        public bool Log(Hangfire.Logging.LogLevel logLevel, Func<string>? messageFunc, Exception? exception = null) => false;
    }
}

/// <summary>The kinds of jobs that features registered.</summary>
public sealed class JobKinds(IEnumerable<IJobKind> kinds)
{
    /// <summary>All, by key.</summary>
    public IReadOnlyList<IJobKind> All { get; } = [.. kinds.OrderBy(kind => kind.Key, StringComparer.Ordinal)];

    /// <summary>The kind of this key; null when there is none.</summary>
    public IJobKind? Find(string key) => All.FirstOrDefault(kind => kind.Key == key);
}

/// <summary>Hands the number of a run to the executor, and nothing but the number.</summary>
public sealed class JobQueue(IBackgroundJobClient hangfire)
{
    internal static string NameOf(JobLane lane) => lane == JobLane.Long ? "long" : "chores";

    /// <summary>Queues the run for the workers of <paramref name="lane"/>.</summary>
    public void Add(long run, JobLane lane) => hangfire.Create<JobWorker>(worker => worker.RunAsync(run), new EnqueuedState(NameOf(lane)));
}

/// <summary>The way from the wish to cancel a run to the worker that has it.</summary>
public sealed class JobCancellations
{
    private readonly ConcurrentDictionary<long, CancellationTokenSource> _sources = new();

    /// <summary>Opened after the claim and before the row is read once more, so that no wish falls between.</summary>
    internal Opened Open(long run) => new(this, run);

    /// <summary>Tells the worker that has the run; without one nothing happens.</summary>
    public void Cancel(long run)
    {
        if (_sources.TryGetValue(run, out var source))
        {
            try
            {
                source.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It has just ended.
            }
        }
    }

    internal sealed class Opened : IDisposable
    {
        private readonly JobCancellations _owner;
        private readonly long _run;

        public Opened(JobCancellations owner, long run)
        {
            (_owner, _run) = (owner, run);
            _owner._sources.TryAdd(run, Source);
        }

        public CancellationTokenSource Source { get; } = new();

        public void Dispose()
        {
            _owner._sources.TryRemove(KeyValuePair.Create(_run, Source));
            Source.Dispose();
        }
    }
}
