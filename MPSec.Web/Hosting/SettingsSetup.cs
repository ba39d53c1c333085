using MPSec.Components.Layout;
using MPSec.Features.Overview;
using MPSec.Features.Settings;

namespace MPSec.Hosting;

/// <summary>Puts the Settings page together.</summary>
public static class SettingsSetup
{
    /// <summary>Registers it; the tokens belong to sign-in.</summary>
    public static IServiceCollection AddSettings(this IServiceCollection services) => services
        .AddSingleton(new ProgramStart(TimeProvider.System.GetUtcNow()))
        .AddSingleton<HistorySettingsService>()
        .AddSingleton<AlertWebhook>()
        .AddSingleton<AlertMail>()
        .AddSingleton<IAlertChannel>(provider => provider.GetRequiredService<AlertWebhook>())
        .AddSingleton<IAlertChannel>(provider => provider.GetRequiredService<AlertMail>())
        .AddSingleton<AlertSender>()
        .AddHostedService(provider => provider.GetRequiredService<AlertSender>())
        .AddSingleton<AlertService>()
        .AddHostedService<AlertWatch>()
        .AddSingleton(new PageSlotEntry(OverviewSlots.BelowHealth, 10, typeof(AlertsPanel)))
        .AddSingleton(new MenuEntry(MenuOrder.Settings, "settings", "settings", typeof(SettingsTexts), "Menu"));
}
