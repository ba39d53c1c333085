using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;

namespace MPSec.Jobs;

/// <summary>Starts, cancels, repeats and finds runs. It checks the caller's role itself: a hidden button protects nothing.</summary>
public sealed class JobEngine(JobKinds kinds, JobLedger ledger, JobQueue queue, JobCancellations cancellations, StateFolder folder, IDbContextFactory<MPSecDbContext> contexts)
{
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>All kinds of jobs, by key.</summary>
    public IReadOnlyList<IJobKind> Kinds => kinds.All;

    /// <summary>The kind of this key; null when this version of MPSec has none.</summary>
    public IJobKind? FindKind(string key) => kinds.Find(key);

    /// <summary>Whether the caller may start, cancel and repeat runs of this kind.</summary>
    public static bool Allows(IJobKind kind, ClaimsPrincipal who)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(who);
        return who.Identity?.IsAuthenticated == true && kind.Roles.Any(who.IsInRole);
    }

    /// <summary>Parameters of a kind from their JSON; unknown names are refused.</summary>
    /// <exception cref="JsonException">They do not fit.</exception>
    public static object ReadParameters(IJobKind kind, string json)
    {
        ArgumentNullException.ThrowIfNull(kind);
        return JsonSerializer.Deserialize(json, kind.ParameterType, Json) ?? throw new JsonException("null is not allowed");
    }

    /// <summary>Whether the run could be cancelled now, whoever asks.</summary>
    public static bool MayCancel(IJobKind kind, JobRun run)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(run);
        return (run.IsActive || run.State == JobState.Interrupted)
            && !run.Steps.Any(step => step.State == JobStepState.Running && kind.Steps.Any(known => known.Key == step.Key && !known.MayCancel));
    }

    /// <summary>Queues a run; it is on disk when this returns its number.</summary>
    /// <exception cref="JobRefusedException">Unknown kind, role not sufficient, or wrong parameters.</exception>
    public Task<long> StartAsync(string kind, object parameters, ClaimsPrincipal who, CancellationToken cancellationToken) =>
        StartAsync(Permitted(kind, who), parameters, who, againOf: null, cancellationToken);

    /// <summary>Queues a new run of the same kind with the same parameters.</summary>
    /// <exception cref="JobRefusedException">Unknown run, role not sufficient, or its parameters are not valid any more.</exception>
    public async Task<long> RunAgainAsync(long id, ClaimsPrincipal who, CancellationToken cancellationToken)
    {
        var run = await FindAsync(id, cancellationToken) ?? throw UnknownRun(id);
        var kind = Permitted(run.Kind, who);
        object parameters;
        try
        {
            parameters = ReadParameters(kind, run.Parameters);
        }
        catch (JsonException e)
        {
            throw new JobRefusedException(JobRefusal.BadParameters, $"parameters: those of run {id} do not fit this version of MPSec ({e.Message})");
        }

        return await StartAsync(kind, parameters, who, id, cancellationToken);
    }

    /// <summary>Asks a run to end. The wish is on disk before anything is sent; a running one ends within about 10 s.</summary>
    /// <exception cref="JobRefusedException">Unknown run, role not sufficient, ended already, or in a step that must not be torn.</exception>
    public async Task CancelAsync(long id, ClaimsPrincipal who, CancellationToken cancellationToken)
    {
        var run = await FindAsync(id, cancellationToken) ?? throw UnknownRun(id);
        var kind = Permitted(run.Kind, who);
        if (!run.IsActive && run.State != JobState.Interrupted)
        {
            throw new JobRefusedException(JobRefusal.AlreadyEnded, $"run {id} has ended already");
        }

        if (!MayCancel(kind, run))
        {
            throw new JobRefusedException(JobRefusal.NotNow, $"run {id} is in a step that must not be torn; ask again when the step has ended");
        }

        if (await ledger.RequestCancelAsync(run, NameOf(who), cancellationToken) == JobState.Running)
        {
            cancellations.Cancel(id);
        }
    }

    /// <summary>One run with its steps and history; null when there is none.</summary>
    public Task<JobRun?> FindAsync(long id, CancellationToken cancellationToken) => ledger.FindAsync(id, cancellationToken);

    /// <summary>Runs with their steps, the newest first.</summary>
    /// <param name="kind">Only this kind.</param>
    /// <param name="state">Only this state.</param>
    /// <param name="before">Only numbers below this one, for the next page of a list.</param>
    /// <param name="most">At most so many, 1 to 500.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<IReadOnlyList<JobRun>> ListAsync(string? kind, JobState? state, long? before, int most, CancellationToken cancellationToken)
    {
        var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using (context)
        {
            return await JobLedger.Whole(context).AsNoTracking()
                .Where(run => (kind == null || run.Kind == kind) && (state == null || run.State == state) && (before == null || run.Id < before))
                .OrderByDescending(run => run.Id)
                .Take(Math.Clamp(most, 1, 500))
                .ToListAsync(cancellationToken);
        }
    }

    /// <summary>Path of the log of a run; there is none before a worker begins.</summary>
    public string LogPath(long id) => folder.JobLog(id);

    private async Task<long> StartAsync(IJobKind kind, object parameters, ClaimsPrincipal who, long? againOf, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (!kind.ParameterType.IsInstanceOfType(parameters))
        {
            throw new JobRefusedException(JobRefusal.BadParameters, $"parameters: {kind.Key} takes {kind.ParameterType.Name}");
        }

        if (kind.Check(parameters) is { } fault)
        {
            throw new JobRefusedException(JobRefusal.BadParameters, fault);
        }

        var id = await ledger.AddAsync(kind, JsonSerializer.Serialize(parameters, kind.ParameterType, Json), NameOf(who), againOf, cancellationToken);
        queue.Add(id, kind.Lane);
        return id;
    }

    private IJobKind Permitted(string key, ClaimsPrincipal who)
    {
        var kind = kinds.Find(key) ?? throw new JobRefusedException(JobRefusal.UnknownKind, $"kind: there is no job '{key}'; known are {string.Join(", ", kinds.All.Select(known => known.Key))}");
        return Allows(kind, who) ? kind : throw new JobRefusedException(JobRefusal.NotPermitted, $"{key}: only {string.Join(" or ", kind.Roles)} may start, cancel and repeat it");
    }

    private static JobRefusedException UnknownRun(long id) => new(JobRefusal.UnknownRun, $"there is no run {id}");

    private static string NameOf(ClaimsPrincipal who) => who.Identity?.Name is { Length: > 0 } name ? name : "unknown";
}
