using MPSec.Features.Settings;

namespace MPSec.Hosting;

/// <summary>Puts the alerts together.</summary>
public static class AlertsSetup
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>Registers them; needs the gateways.</summary>
    public static IServiceCollection AddAlerts(this IServiceCollection services) => services
        .AddSingleton<AlertSettingsFile>()
        .AddSingleton<IAlertFacts, AlertFacts>()
        .AddSingleton<IAlertSender>(_ => new WebhookSender(NewClient()))
        .AddSingleton<IAlertSender, MailSender>()
        .AddSingleton<AlertService>()
        .AddHostedService(s => s.GetRequiredService<AlertService>());

    /// <summary>Follows no redirects: the administrator named one address, and it alone is told.</summary>
    internal static HttpClient NewClient() => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = s_patience })
    {
        Timeout = s_patience,
        MaxResponseContentBufferSize = 64 * 1024,
    };
}
