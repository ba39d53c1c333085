using System.Net;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Identity;
using MPSec.Data;
using MPSec.Features.Settings;

namespace MPSec.Hosting.Auth;

/// <summary>Who may come in: users, cookies, roles, keys, the proxy in front, headers and origins.</summary>
public static class AuthSetup
{
    /// <summary>Longest life of a session without use.</summary>
    public static readonly TimeSpan SessionLife = TimeSpan.FromHours(12);

    /// <summary>Longest time until a signed-out or demoted user loses pages that are open.</summary>
    public static readonly TimeSpan Revalidation = TimeSpan.FromSeconds(30);

    /// <summary>Registers users and their stores; also what the <c>user</c> verb needs without a server.</summary>
    public static IServiceCollection AddMPSecUsers(this IServiceCollection services)
    {
        services.AddIdentityCore<IdentityUser>(o =>
            {
                // Length beats composition (NIST SP 800-63B section 3.1.1).
                o.Password.RequiredLength = 12;
                o.Password.RequireDigit = o.Password.RequireLowercase = o.Password.RequireUppercase = o.Password.RequireNonAlphanumeric = false;
                o.Password.RequiredUniqueChars = 5;
                o.User.AllowedUserNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
            })
            .AddRoles<IdentityRole>()
            .AddEntityFrameworkStores<MPSecDbContext>();
        services.AddScoped<UserAccounts>();
        return services;
    }

    /// <summary>Registers everything that guards the web program.</summary>
    public static WebApplicationBuilder AddAuth(this WebApplicationBuilder builder, MPSecOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        var services = builder.Services;
        services.AddMPSecUsers();
        services.AddScoped<SignInManager<IdentityUser>>();
        services.AddScoped<ISecurityStampValidator, SecurityStampValidator<IdentityUser>>();
        services.Configure<SecurityStampValidatorOptions>(o => o.ValidationInterval = Revalidation);
        services.AddDataProtection().SetApplicationName("mpsec").PersistKeysToFileSystem(new(new StateFolder(options.State).KeysFolder));
        // Keys lie in a folder of mode 0700 inside the state folder; Linux offers no store that would encrypt them for us.
        builder.Logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        // The handler tells each refusal itself, and once only where somebody floods it.
        builder.Logging.AddFilter(typeof(BearerScheme).FullName, LogLevel.Warning);
        services.AddAuthentication(BearerScheme.Chooser)
            .AddPolicyScheme(BearerScheme.Chooser, null, o => o.ForwardDefaultSelector = BearerScheme.Choose)
            .AddScheme<AuthenticationSchemeOptions, BearerScheme>(BearerScheme.Name, null)
            .AddCookie(IdentityConstants.ApplicationScheme, ConfigureCookie);
        services.AddSingleton<ApiTokenService>().AddSingleton<BearerThrottle>().AddSingleton<StandingAccess>();
        services.AddAuthorizationBuilder()
            .AddPolicy(UserRole.Viewer, p => p.RequireRole(UserRole.Satisfying(UserRole.Viewer)))
            .AddPolicy(UserRole.Operator, p => p.RequireRole(UserRole.Satisfying(UserRole.Operator)))
            .AddPolicy(UserRole.Administrator, p => p.RequireRole(UserRole.Satisfying(UserRole.Administrator)))
            .SetDefaultPolicy(new AuthorizationPolicyBuilder().RequireRole(UserRole.All).Build())
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireRole(UserRole.All).Build());
        services.AddScoped<AuthenticationStateProvider, CircuitUser>();
        services.AddAntiforgery(o =>
        {
            o.Cookie.Name = "mpsec-form";
            o.Cookie.SameSite = SameSiteMode.Strict;
            o.Cookie.HttpOnly = true;
            o.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            o.SuppressXFrameOptionsHeader = true; // SecurityHeaders sets the stricter one
        });
        services.AddSingleton<SignInThrottle>();
        services.AddSingleton<FirstAdministrator>();
        services.AddHostedService<AuthStart>();
        services.Configure<ForwardedHeadersOptions>(o => Trust(o, options));
        builder.WebHost.ConfigureKestrel(o => o.AddServerHeader = false);
        return builder;
    }

    /// <summary>Puts the guards in front of everything else; after the path base, before routing.</summary>
    public static WebApplication UseGuards(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseMiddleware<SecurityHeaders>();
        app.UseMiddleware<OriginGuard>();
        return app;
    }

    private static void ConfigureCookie(CookieAuthenticationOptions cookie)
    {
        cookie.Cookie.Name = "mpsec-session";
        cookie.Cookie.HttpOnly = true;
        cookie.Cookie.SameSite = SameSiteMode.Strict;
        cookie.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
        cookie.ExpireTimeSpan = SessionLife;
        cookie.SlidingExpiration = true;
        cookie.Events = new CookieAuthenticationEvents
        {
            OnValidatePrincipal = SecurityStampValidator.ValidatePrincipalAsync,
            OnRedirectToLogin = c => SignInRedirect.ChallengeAsync(c.HttpContext),
            OnRedirectToAccessDenied = c =>
            {
                if (BearerScheme.IsForPrograms(c.Request.Path))
                {
                    return BearerScheme.ForbidAsync(c.HttpContext);
                }

                c.Response.StatusCode = StatusCodes.Status403Forbidden;
                return Task.CompletedTask;
            },
        };
    }

    private static void Trust(ForwardedHeadersOptions headers, MPSecOptions options)
    {
        headers.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost | ForwardedHeaders.XForwardedPrefix;
        headers.ForwardLimit = 1;
        headers.KnownIPNetworks.Clear();
        headers.KnownProxies.Clear();
        foreach (var proxy in options.KnownProxies.Length == 0 ? ["127.0.0.1", "::1"] : options.KnownProxies)
        {
            headers.KnownProxies.Add(IPAddress.Parse(proxy));
        }
    }
}
