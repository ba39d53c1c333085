using System.Security.Claims;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MPSec.Data;
using MPSec.Jobs;

namespace MPSec.Tests.Jobs;

/// <summary>A kind of job whose steps a test gives.</summary>
internal sealed class FakeKind(string key, params JobStep[] steps) : IJobKind
{
    public string Key => key;

    public Type Texts => typeof(FakeKind);

    public string TitleKey => "Fake";

    public IReadOnlyList<JobStep> Steps => steps;

    public bool Resumable { get; init; } = true;

    public JobLane Lane { get; init; }

    public int MostAtOnce { get; init; } = 1;

    public IReadOnlyList<string> Roles { get; init; } = ["Administrator"];

    public Type ParameterType { get; init; } = typeof(NoJobParameters);

    public Func<object, string?> Checker { get; init; } = _ => null;

    public string? Check(object parameters) => Checker(parameters);

    public static JobStep Step(string key, Func<JobContext, Task> run) => new(key, "Step." + key, run);
}

/// <summary>Jobs and Data in a host of their own, with or without workers.</summary>
internal sealed class JobHost : IAsyncDisposable
{
    private readonly IHost _host;

    private JobHost(IHost host) => _host = host;

    public static ClaimsPrincipal Admin { get; } = User("mina", "Administrator");

    public JobEngine Engine => _host.Services.GetRequiredService<JobEngine>();

    public JobWorker Worker => _host.Services.GetRequiredService<JobWorker>();

    public JobFeed Feed => _host.Services.GetRequiredService<JobFeed>();

    public IServiceProvider Services => _host.Services;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static ClaimsPrincipal User(string name, string role) => new(new ClaimsIdentity([new(ClaimTypes.Name, name), new(ClaimTypes.Role, role)], "test"));

    public static Task<JobHost> StartAsync(StateFolder folder, bool workers, params IJobKind[] kinds) => StartAsync(folder, workers, [.. kinds.Select(kind => (Func<IServiceProvider, IJobKind>)(_ => kind))]);

    public static Task<JobHost> StartAsync(StateFolder folder, bool workers, params Func<IServiceProvider, IJobKind>[] kinds) => StartAsync(folder, workers, services =>
    {
        foreach (var kind in kinds)
        {
            services.AddSingleton(kind);
        }
    });

    public static async Task<JobHost> StartAsync(StateFolder folder, bool workers, Action<IServiceCollection> add)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddFilter(_ => false);
        builder.Services.AddSingleton(TimeProvider.System).AddMPSecData(folder.Root).AddMPSecJobs();
        add(builder.Services);
        if (!workers)
        {
            foreach (var server in builder.Services.Where(service => service.ServiceType == typeof(IHostedService) && service.ImplementationFactory?.Method.DeclaringType?.Assembly.GetName().Name?.StartsWith("Hangfire", StringComparison.Ordinal) == true).ToList())
            {
                builder.Services.Remove(server);
            }
        }

        var host = builder.Build();
        await host.StartAsync(Token);
        return new(host);
    }

    public async Task<JobRun> UntilAsync(long id, Func<JobRun, bool> reached)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromMinutes(5));
        JobRun? run = null;
        try
        {
            while ((run = await Engine.FindAsync(id, limit.Token)) is null || !reached(run))
            {
                await Task.Delay(20, limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"run {id} stayed {run?.State}: {run?.Result}\n{LogOf(id)}");
        }

        return run;
    }

    public Task<JobRun> EndAsync(long id) => UntilAsync(id, run => !run.IsActive);

    public string LogOf(long id) => File.Exists(Engine.LogPath(id)) ? File.ReadAllText(Engine.LogPath(id)) : "";

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
    }
}
