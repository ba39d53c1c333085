using System.Security.Claims;

namespace MPSec.Hosting.Auth;

/// <summary>Roles, and policies of the same names: an operator may all that a viewer may, an administrator everything.</summary>
public static class UserRole
{
    /// <summary>Sees everything but secrets.</summary>
    public const string Viewer = "Viewer";

    /// <summary>Also takes paths up and down, starts tests and confirms findings.</summary>
    public const string Operator = "Operator";

    /// <summary>Also changes configuration, keys, users and the kernel.</summary>
    public const string Administrator = "Administrator";

    /// <summary>All roles, the weakest first.</summary>
    public static readonly IReadOnlyList<string> All = [Viewer, Operator, Administrator];

    /// <summary>Roles that satisfy the policy called <paramref name="policy"/>.</summary>
    public static IEnumerable<string> Satisfying(string policy) => All.SkipWhile(r => r != policy);

    /// <summary>Whether <paramref name="user"/> may what <paramref name="policy"/> asks for; services ask this again before they act.</summary>
    public static bool May(ClaimsPrincipal user, string policy) => Satisfying(policy).Any(user.IsInRole);
}
