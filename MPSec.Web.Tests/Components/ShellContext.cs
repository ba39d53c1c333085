using System.Globalization;
using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using MPSec.Components;
using MPSec.Components.Layout;
using MPSec.Data;
using MPSec.Data.History;
using MudBlazor;
using MudBlazor.Services;

namespace MPSec.Tests.Components;

/// <summary>Components with their texts in one language.</summary>
public abstract class ShellContext : BunitContext, IAsyncLifetime
{
    private readonly CultureInfo _culture = CultureInfo.CurrentCulture;
    private readonly CultureInfo _uiCulture = CultureInfo.CurrentUICulture;

    protected ShellContext()
    {
        JSInterop.Mode = JSRuntimeMode.Loose;
        Services.AddLocalization();
        Services.AddMudServices();
        Services.AddTransient<MudLocalizer, MudTextLocalizer>();
        Services.AddSingleton(TimeProvider.System);
        Services.AddSingleton<Sentences>();
        Services.AddSingleton<IShellState>(Shell);
        Services.AddSingleton(new HistoryStore(new StateFolder("/nonexistent/mpsec"), new(), TimeProvider.System, NullLogger<HistoryStore>.Instance)); // says that it is not open yet
    }

    internal FakeShell Shell { get; } = new();

    public ValueTask InitializeAsync()
    {
        SetRendererInfo(new RendererInfo("Server", isInteractive: true)); // after all services are there
        return ValueTask.CompletedTask;
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        CultureInfo.CurrentCulture = _culture;
        CultureInfo.CurrentUICulture = _uiCulture;
        await DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected static void Speak(string language)
    {
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo(language);
        CultureInfo.CurrentUICulture = CultureInfo.GetCultureInfo(language);
    }
}

internal sealed class FakeShell : IShellState
{
    public event Action? Changed;

    public IReadOnlyList<ShellGateway> Gateways { get; set; } = [new("host", ShellGatewayKind.ThisMachine, false), new("lab-a", ShellGatewayKind.Lab, true)];

    public string DefaultGateway => "host";

    public int? Findings { get; set; }

    public int? RunningJobs { get; set; }

    public int? PendingChanges { get; set; }

    public void Raise() => Changed?.Invoke();

    public int Listeners => Changed?.GetInvocationList().Length ?? 0;
}
