using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Components.Layout;
using MPSec.Features;
using MPSec.Tests.Changes;

namespace MPSec.Tests.Features;

/// <summary>A browser whose new connections get through, or not.</summary>
internal sealed class FakeBrowser(ChangeService changes) : IConnectionProof
{
    /// <summary>False: cut off.</summary>
    public bool Reaches { get; set; } = true;

    public async Task<bool> ConfirmAsync(Guid change)
    {
        if (Reaches)
        {
            await changes.ConfirmAsync(change, new("browser", ChangeRole.Administrator));
        }

        return Reaches;
    }
}

internal static class ChangeDeskSetup
{
    /// <summary>The desk for component tests, on the door of <paramref name="changes"/>.</summary>
    public static IServiceCollection AddChangeDesk(this IServiceCollection services, IServiceProvider changes) => services
        .AddSingleton(changes.GetRequiredService<ChangeService>())
        .AddSingleton(changes.GetRequiredService<ChangeJournal>())
        .AddSingleton(ConfirmationTime.Standard)
        .AddSingleton<PendingChangeWatch>()
        .AddSingleton(new FakeBrowser(changes.GetRequiredService<ChangeService>()))
        .AddSingleton<IConnectionProof>(p => p.GetRequiredService<FakeBrowser>())
        .AddSingleton<BrowserArrival>()
        .AddSingleton<ChangeTitles>()
        .AddScoped<ChangeDesk>();

    /// <summary>A dead-man that the test plays instead of a process.</summary>
    public static IServiceCollection AddFakeDeadMan(this IServiceCollection services) => services
        .AddSingleton<FakeDeadMan>()
        .AddSingleton<IDeadManStart>(p => p.GetRequiredService<FakeDeadMan>());
}
