using Microsoft.AspNetCore.Connections;
using MPSec.Changes;
using MPSec.Components;
using MPSec.Components.Layout;
using MPSec.Features;
using MPSec.Hosting.Shell;

namespace MPSec.Hosting.Checked;

/// <summary>When a connection was accepted.</summary>
/// <param name="Milliseconds">Milliseconds of <see cref="IBootClock"/>.</param>
internal sealed record ConnectionStart(long Milliseconds);

/// <summary>What a checked change needs of the web server: the age of connections, and browsers that open new ones.</summary>
internal static class CheckedChangesSetup
{
    public static WebApplicationBuilder AddCheckedChanges(this WebApplicationBuilder builder, MPSecOptions options)
    {
        builder.Services.AddSingleton(new SentenceTexts(typeof(ChangeSaidTexts)));
        builder.Services.AddSingleton(new ConfirmationTime(TimeSpan.FromSeconds(options.ConfirmSecondsMinimum), TimeSpan.FromSeconds(options.ConfirmSeconds)));
        builder.Services.AddSingleton<OpenConnections>();
        builder.Services.AddSingleton<PendingChangeWatch>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<PendingChangeWatch>());
        builder.Services.AddScoped<BrowserArrival>();
        builder.Services.AddScoped<IConnectionProof, BrowserConnectionProof>();
        builder.Services.AddScoped<ChangeDesk>();
        builder.Services.AddSingleton<ChangeTitles>();
        builder.Services.AddSingleton(new PageSlotEntry(LayoutSlots.AbovePage, 0, typeof(PendingChangeBar)));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureEndpointDefaults(listen =>
        {
            var clock = kestrel.ApplicationServices.GetRequiredService<IBootClock>();
            var open = kestrel.ApplicationServices.GetRequiredService<OpenConnections>();
            listen.Use(next => async connection =>
            {
                connection.Features.Set(new ConnectionStart(clock.Milliseconds));
                using (open.Enter(connection))
                {
                    await next(connection);
                }
            });
        }));
        return builder;
    }

    /// <summary>From the moment that a change waits, idle connections end and every answer ends its own, so that the next request proves the way anew.</summary>
    public static WebApplication UseFreshConnections(this WebApplication app)
    {
        var watch = app.Services.GetRequiredService<PendingChangeWatch>();
        var shell = app.Services.GetRequiredService<ShellState>();
        var open = app.Services.GetRequiredService<OpenConnections>();
        app.Services.GetRequiredService<ChangeService>().PendingChanged += pending =>
        {
            if (pending is { Stage: PendingStage.Waiting })
            {
                open.EndAfterTheirRequest();
            }
        };
        watch.Changed += () => shell.SetPendingChanges(watch.Current is null ? 0 : 1);
        app.Use((context, next) =>
        {
            context.Response.OnStarting(() =>
            {
                if (watch.Current is null || context.WebSockets.IsWebSocketRequest)
                {
                    return Task.CompletedTask;
                }

                if (HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol))
                {
                    context.Response.Headers.Connection = "close";
                }
                else
                {
                    context.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionLifetimeNotificationFeature>()?.RequestClose();
                }

                return Task.CompletedTask;
            });
            return next();
        });
        return app;
    }
}
