using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Jobs;
using MudBlazor;

namespace MPSec.Features.Jobs;

/// <summary>What the buttons of the Jobs pages do, and how a refusal is told. The engine checks the role of whoever asks.</summary>
public sealed class JobActions(JobEngine engine, AuthenticationStateProvider authentication, ISnackbar snackbar, IStringLocalizer<JobsTexts> texts)
{
    /// <summary>Kinds that the signed-in user may start, cancel and repeat.</summary>
    public async Task<IReadOnlyList<IJobKind>> AllowedAsync()
    {
        var user = (await authentication.GetAuthenticationStateAsync()).User;
        return [.. engine.Kinds.Where(kind => JobEngine.Allows(kind, user))];
    }

    /// <summary>Starts a run with the kind's usual parameters; null when refused.</summary>
    public async Task<long?> StartAsync(IJobKind kind)
    {
        ArgumentNullException.ThrowIfNull(kind);
        return await StartAsync(kind.Key, kind.UsualParameters!);
    }

    /// <summary>Starts what was offered after a failed run; null when refused.</summary>
    public async Task<long?> StartAsync(JobOffer offer)
    {
        ArgumentNullException.ThrowIfNull(offer);
        return await StartAsync(offer.Kind, offer.Parameters);
    }

    /// <summary>Repeats a run; null when refused.</summary>
    public async Task<long?> RunAgainAsync(long id)
    {
        var user = (await authentication.GetAuthenticationStateAsync()).User;
        return await TryAsync(() => engine.RunAgainAsync(id, user, CancellationToken.None));
    }

    /// <summary>Asks a run to end.</summary>
    public async Task CancelAsync(long id)
    {
        var user = (await authentication.GetAuthenticationStateAsync()).User;
        await TryAsync(async () =>
        {
            await engine.CancelAsync(id, user, CancellationToken.None);
            return id;
        });
    }

    private async Task<long?> StartAsync(string kind, object parameters)
    {
        var user = (await authentication.GetAuthenticationStateAsync()).User;
        return await TryAsync(() => engine.StartAsync(kind, parameters, user, CancellationToken.None));
    }

    private async Task<long?> TryAsync(Func<Task<long>> act)
    {
        try
        {
            return await act();
        }
        catch (JobRefusedException e)
        {
            snackbar.Add(texts[$"Refused_{e.Refusal}"].Value, Severity.Warning);
            return null;
        }
    }
}
