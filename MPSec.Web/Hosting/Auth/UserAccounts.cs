using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;

namespace MPSec.Hosting.Auth;

/// <summary>A user as lists show it.</summary>
/// <param name="Name">User name.</param>
/// <param name="Role">One of <see cref="UserRole.All"/>.</param>
public sealed record UserAccount(string Name, string Role);

/// <summary>Users and their one role. Errors come as codes of <see cref="IdentityErrorDescriber"/>, so that each surface says them in its language.</summary>
public sealed class UserAccounts(UserManager<IdentityUser> users, RoleManager<IdentityRole> roles, MPSecDbContext database, IPasswordHasher<IdentityUser> hasher)
{
    private static readonly IdentityUser s_nobody = new("nobody");
    private static string? s_nobodyHash;

    /// <summary>Makes the roles where they are missing.</summary>
    public async Task EnsureRolesAsync()
    {
        foreach (var role in UserRole.All)
        {
            if (!await roles.RoleExistsAsync(role))
            {
                Check(await roles.CreateAsync(new IdentityRole(role)));
            }
        }
    }

    /// <summary>Whether anybody is administrator.</summary>
    public async Task<bool> HasAdministratorAsync() => (await users.GetUsersInRoleAsync(UserRole.Administrator)).Count > 0;

    /// <summary>Adds a user; the result tells what is wrong with name or password. Nothing is left behind on failure.</summary>
    public async Task<IdentityResult> AddAsync(string name, string password, string role, CancellationToken cancellationToken)
    {
        var user = new IdentityUser(name);
        await using var transaction = await database.Database.BeginTransactionAsync(cancellationToken);
        var result = await users.CreateAsync(user, password);
        if (result.Succeeded)
        {
            result = await users.AddToRoleAsync(user, role);
        }

        if (result.Succeeded)
        {
            await transaction.CommitAsync(cancellationToken);
        }

        return result;
    }

    /// <summary>Gives <paramref name="name"/> another password and ends all sessions of that user; null when there is no such user.</summary>
    public async Task<IdentityResult?> ResetPasswordAsync(string name, string password, CancellationToken cancellationToken)
    {
        if (await users.FindByNameAsync(name) is not { } user)
        {
            return null;
        }

        await using var transaction = await database.Database.BeginTransactionAsync(cancellationToken);
        Check(await users.RemovePasswordAsync(user));
        var result = await users.AddPasswordAsync(user, password); // also makes a new security stamp
        if (result.Succeeded)
        {
            await transaction.CommitAsync(cancellationToken);
        }

        return result;
    }

    /// <summary>The user if the password is right, else null. Takes the same time for a user who does not exist.</summary>
    public async Task<IdentityUser?> VerifyAsync(string name, string password)
    {
        if (await users.FindByNameAsync(name) is { } user)
        {
            return await users.CheckPasswordAsync(user, password) ? user : null;
        }

        s_nobodyHash ??= hasher.HashPassword(s_nobody, "a password that nobody has");
        hasher.VerifyHashedPassword(s_nobody, s_nobodyHash, password);
        return null;
    }

    /// <summary>All users by name.</summary>
    public async Task<IReadOnlyList<UserAccount>> ListAsync(CancellationToken cancellationToken) => await (
        from user in database.Users
        from link in database.UserRoles.Where(l => l.UserId == user.Id).DefaultIfEmpty()
        from role in database.Roles.Where(r => r.Id == link!.RoleId).DefaultIfEmpty()
        orderby user.UserName
        select new UserAccount(user.UserName!, role!.Name ?? "")).ToListAsync(cancellationToken);

    private static void Check(IdentityResult result)
    {
        if (!result.Succeeded)
        {
            throw new InvalidOperationException(string.Join(" ", result.Errors.Select(e => e.Description)));
        }
    }
}
