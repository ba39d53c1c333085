using Microsoft.Extensions.Options;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Features.Lab;
using MPSec.Hosting.Api;
using MPSec.Hosting.Auth;
using MPSec.Hosting.Checked;
using MPSec.Hosting.History;
using MPSec.Hosting.Shell;

namespace MPSec.Hosting;

/// <summary>The web program put together. Tests start the same program on port 0 with their own options and fakes.</summary>
public static class MPSecApp
{
    /// <summary>Builds the program; the caller starts it.</summary>
    /// <param name="options">Checked settings.</param>
    /// <param name="configure">Last word on services, for tests.</param>
    public static WebApplication Build(MPSecOptions options, Action<WebApplicationBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ApplicationName = "mpsec",
            ContentRootPath = AppContext.BaseDirectory,
            WebRootPath = Path.Combine(AppContext.BaseDirectory, "wwwroot"),
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseStaticWebAssets();
        builder.WebHost.UseUrls(options.Urls.Split(';', StringSplitOptions.TrimEntries));
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("Hangfire", LogLevel.Warning)
            .AddFilter("Microsoft.EntityFrameworkCore.Database", LogLevel.Critical); // whoever asked the database gets the exception and tells
        builder.Services.AddSingleton(Options.Create(options));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddMPSecData(options.State);
        builder.Services.AddMPSecLab().AddLabStartup(options.StartLab);
        builder.Services.AddSystemd();
        builder.Services.AddHistory(options.History);
        builder.Services.AddHealth();
        builder.Services.AddApi();
        builder.Services.AddMPSecChanges();
        builder.AddCheckedChanges(options);
        builder.AddAuth(options);
        builder.AddShell();
        builder.Services.AddJobs();
        builder.Services.AddGateways(options);
        builder.Services.AddNetwork();
        builder.Services.AddConnections();
        builder.Services.AddSystemStatus(options);
        builder.Services.AddKernel();
        builder.Services.AddSettings();
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseForwardedHeaders();
        if (options.PathBase.Length > 0)
        {
            app.UsePathBase(options.PathBase);
        }

        app.UseGuards();
        app.UseApiProblems();
        app.UseFreshConnections();
        app.UseRequestLocalization();
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseAntiforgery();
        app.MapShell();
        app.MapAuth();
        app.MapJobsApi();
        app.MapLabsApi();
        app.MapGatewaysApi();
        app.MapMptcpApi();
        app.MapNetworkApi();
        app.MapConnectionsApi();
        app.MapHistoryApi();
        app.MapChangesApi();
        app.MapTokensApi();
        app.MapAlertsApi();
        app.MapLiveApi();
        app.MapSystemApi();
        app.MapKernelApi();
        app.MapKernelBootApi();
        app.MapMetrics();
        app.MapApiDescription();
        app.MapHealth();
        return app;
    }
}
