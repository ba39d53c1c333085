using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.AspNetCore.Components.Server;

namespace MPSec.Hosting.Auth;

/// <summary>
/// The user of an open page, asked again every 30 s: a page outlives the request that opened it, and so would the rights of someone who has
/// signed out, changed the password or lost a role.
/// </summary>
public sealed class CircuitUser(ILoggerFactory loggers, StandingAccess access) : RevalidatingServerAuthenticationStateProvider(loggers)
{
    /// <inheritdoc/>
    protected override TimeSpan RevalidationInterval => AuthSetup.Revalidation;

    /// <inheritdoc/>
    protected override Task<bool> ValidateAuthenticationStateAsync(AuthenticationState authenticationState, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(authenticationState);
        return access.HoldsAsync(authenticationState.User, cancellationToken);
    }
}
