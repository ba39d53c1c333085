using System.Security.Claims;
using System.Text;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Hosting.Auth;
using MPSec.Jobs;

namespace MPSec.Hosting.Cli;

/// <summary>
/// Jobs from a terminal. A running server does the work, and the terminal follows the log; without one the terminal does it itself and lets go of it when it ends:
/// what a program has begun goes on, and the next server, or the next call, takes it up.
/// </summary>
internal sealed class JobTerminal : IAsyncDisposable
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(300);

    private readonly IHost _host;
    private readonly bool _works;

    private JobTerminal(IHost host, bool works) => (_host, _works) = (host, works);

    private JobEngine Engine => _host.Services.GetRequiredService<JobEngine>();

    /// <summary>Ready to start and to follow runs.</summary>
    public static async Task<JobTerminal> OpenAsync(string state, CancellationToken cancellationToken)
    {
        var host = Build(state);
        try
        {
            await host.StartAsync(cancellationToken);
            return new(host, works: true);
        }
        catch (StateFolderException e) when (e.Fault == StateFolderFault.InUse)
        {
            host.Dispose();
            return new(Build(state), works: false);
        }
    }

    /// <summary>Whether a server does the work.</summary>
    public bool HasServer => !_works;

    /// <summary>Queues a run.</summary>
    /// <exception cref="CliException">It was refused.</exception>
    public async Task<long> StartAsync(string kind, object parameters, CancellationToken cancellationToken)
    {
        try
        {
            return await Engine.StartAsync(kind, parameters, Who(), cancellationToken);
        }
        catch (JobRefusedException e)
        {
            throw new CliException(e.Refusal == JobRefusal.BadParameters ? CliExitCode.Usage : CliExitCode.Failed, e.Message);
        }
    }

    /// <summary>Asks a run to end.</summary>
    /// <exception cref="CliException">It was refused.</exception>
    public async Task CancelAsync(long id, CancellationToken cancellationToken)
    {
        try
        {
            await Engine.CancelAsync(id, Who(), cancellationToken);
        }
        catch (JobRefusedException e)
        {
            throw new CliException(CliExitCode.Failed, e.Message);
        }
    }

    /// <summary>The newest run of a kind that has not ended; null when there is none.</summary>
    public async Task<long?> UnfinishedAsync(string kind, CancellationToken cancellationToken) =>
        (await Engine.ListAsync(kind, null, null, 20, cancellationToken)).FirstOrDefault(r => r.IsActive)?.Id;

    /// <summary>Shows the log of a run until it has ended.</summary>
    /// <returns>The run as it ended.</returns>
    public async Task<JobRun> FollowAsync(long id, Action<string> line, CancellationToken cancellationToken)
    {
        var offset = 0L;
        JobRun? run = null;
        for (var look = 0; ; look++)
        {
            // The log is a file and costs nothing; the row is three questions to the database.
            if (look % 4 == 0)
            {
                run = await Engine.FindAsync(id, cancellationToken) ?? throw new CliException(CliExitCode.Failed, $"there is no run {id}");
            }

            long before;
            do
            {
                before = offset;
                offset = JobLogReader.Read(Engine.LogPath(id), before, (bytes, _) => line(Encoding.UTF8.GetString(bytes)));
            }
            while (offset > before);
            if (run is { IsActive: false })
            {
                return run;
            }

            await Task.Delay(s_look, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_works)
        {
            await _host.StopAsync(CancellationToken.None);
        }

        _host.Dispose();
    }

    private static IHost Build(string state)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddFilter(_ => false);
        builder.Services.AddSingleton(TimeProvider.System).AddMPSecData(state).AddMPSecChanges().AddMPSecJobs().AddJobKinds();
        return builder.Build();
    }

    // Who may write to the state folder is its administrator.
    private static ClaimsPrincipal Who() => new(new ClaimsIdentity([new(ClaimTypes.Name, Environment.UserName + " (terminal)"), new(ClaimTypes.Role, UserRole.Administrator)], "terminal"));
}
