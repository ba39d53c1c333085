using System.Security.Claims;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using MPSec.Features.Settings;

namespace MPSec.Hosting.Auth;

/// <summary>Whether somebody who came in before may stay: open pages and long answers outlive the request that was checked.</summary>
public sealed class StandingAccess(IServiceScopeFactory scopes, ApiTokenService tokens, IOptions<IdentityOptions> options)
{
    /// <summary>Whether the token is still good, or the user is still who signed in, with the same password and rights.</summary>
    public async Task<bool> HoldsAsync(ClaimsPrincipal principal, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(principal);
        if (principal.FindFirstValue(BearerScheme.KeyClaim) is { } key)
        {
            return await tokens.IsActiveAsync(key, cancellationToken);
        }

        await using var scope = scopes.CreateAsyncScope();
        var users = scope.ServiceProvider.GetRequiredService<UserManager<IdentityUser>>();
        return await users.GetUserAsync(principal) is { } user
            && principal.FindFirstValue(options.Value.ClaimsIdentity.SecurityStampClaimType) == await users.GetSecurityStampAsync(user);
    }
}
