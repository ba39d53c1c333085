using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Unicode;
using Microsoft.AspNetCore.Localization;
using MPSec.Components;
using MPSec.Components.Layout;
using MudBlazor;
using MudBlazor.Services;

namespace MPSec.Hosting.Shell;

/// <summary>Puts the pages together: components, MudBlazor, languages, static files.</summary>
public static class ShellSetup
{
    /// <summary>Languages, the first one is the default.</summary>
    public static readonly IReadOnlyList<CultureInfo> Cultures = [CultureInfo.GetCultureInfo("en"), CultureInfo.GetCultureInfo("ko")];

    /// <summary>Name of the cookie that remembers the language.</summary>
    public const string CultureCookie = "mpsec-language";

    /// <summary>Registers what pages need.</summary>
    public static WebApplicationBuilder AddShell(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddRazorComponents().AddInteractiveServerComponents(o => o.JSInteropDefaultCallTimeout = JsLimit.Others);
        builder.Services.AddCascadingAuthenticationState();
        builder.Services.AddHttpContextAccessor();
        builder.Services.AddLocalization();
        builder.Services.AddSingleton<Sentences>();
        builder.Services.AddSingleton(HtmlEncoder.Create(UnicodeRanges.All)); // Korean stays readable, and three times smaller
        builder.Services.AddMudServices(o =>
        {
            o.SnackbarConfiguration.PositionClass = Defaults.Classes.Position.BottomRight;
            o.SnackbarConfiguration.PreventDuplicates = true;
            o.SnackbarConfiguration.VisibleStateDuration = 5000;
            o.SnackbarConfiguration.HideTransitionDuration = 120;
            o.SnackbarConfiguration.ShowTransitionDuration = 120;
        });
        builder.Services.AddTransient<MudLocalizer, MudTextLocalizer>();
        builder.Services.Configure<RequestLocalizationOptions>(o =>
        {
            o.DefaultRequestCulture = new RequestCulture(Cultures[0]);
            o.SupportedCultures = [.. Cultures];
            o.SupportedUICultures = [.. Cultures];
            o.RequestCultureProviders = [new CookieRequestCultureProvider { CookieName = CultureCookie }, new AcceptLanguageHeaderRequestCultureProvider()];
        });
        builder.Services.AddSingleton<ShellState>();
        builder.Services.AddSingleton<IShellState>(s => s.GetRequiredService<ShellState>());
        return builder;
    }

    /// <summary>Maps pages and static files.</summary>
    public static WebApplication MapShell(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapStaticAssets().AllowAnonymous();
        app.MapRazorComponents<App>().AddInteractiveServerRenderMode(o => o.ContentSecurityFrameAncestorsPolicy = null) // SecurityHeaders says 'none'
            .AddAdditionalAssemblies([.. app.Services.GetServices<PageAssembly>().Select(p => p.Assembly)]);
        return app;
    }
}
