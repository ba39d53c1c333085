using System.Security.Claims;

namespace MPSec.Changes;

/// <summary>Who may do what; each includes the ones before.</summary>
public enum ChangeRole
{
    /// <summary>Looks only.</summary>
    Viewer,

    /// <summary>Takes paths up and down.</summary>
    Operator,

    /// <summary>Everything.</summary>
    Administrator,
}

/// <summary>Who asks for a change.</summary>
/// <param name="Name">For the audit log.</param>
/// <param name="Role">What they may do.</param>
public sealed record ChangeActor(string Name, ChangeRole Role)
{
    /// <summary>MPSec itself, after a crash or at start.</summary>
    public static ChangeActor Recovery { get; } = new("MPSec (recovery)", ChangeRole.Administrator);

    /// <summary>MPSec itself, at the wish of its configuration.</summary>
    public static ChangeActor System { get; } = new("MPSec", ChangeRole.Administrator);

    /// <summary>The user of this terminal: whoever runs the program with the rights to change the kernel may do everything.</summary>
    public static ChangeActor Terminal() => new($"{Environment.UserName} (terminal)", ChangeRole.Administrator);

    /// <summary>A signed-in user; roles are the names of <see cref="ChangeRole"/>.</summary>
    public static ChangeActor Of(ClaimsPrincipal user)
    {
        ArgumentNullException.ThrowIfNull(user);
        var role = user.IsInRole(nameof(ChangeRole.Administrator)) ? ChangeRole.Administrator
            : user.IsInRole(nameof(ChangeRole.Operator)) ? ChangeRole.Operator
            : ChangeRole.Viewer;
        return new(user.Identity is { IsAuthenticated: true, Name: { Length: > 0 } name } ? name : "anonymous", role);
    }

    /// <summary>Throws unless the role suffices.</summary>
    /// <exception cref="ChangeException"><see cref="ChangeFault.NotPermitted"/>.</exception>
    public void Require(ChangeRole role)
    {
        if (Role < role)
        {
            throw new ChangeException(ChangeFault.NotPermitted, $"{Name} may not do this: it needs the role {role}");
        }
    }
}
