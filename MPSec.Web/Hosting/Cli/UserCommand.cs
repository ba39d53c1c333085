using System.CommandLine;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Identity;
using MPSec.Data;
using MPSec.Hosting.Auth;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec user</c>: users without the web page. A password comes from standard input, never from the command line, which other users can read.</summary>
public static class UserCommand
{
    private static readonly Argument<string> s_name = new("name") { Description = "User name: letters, digits and - . _" };
    private static readonly Option<string> s_role = new Option<string>("--role") { Description = "Role of the user", DefaultValueFactory = _ => UserRole.Viewer }.AcceptOnlyFromAmong([.. UserRole.All]);
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var add = new Command("add", "Add a user; the password is read from standard input") { s_name, s_role };
        add.SetAction((parse, cancellationToken) => WithAccountsAsync(parse, AddAsync, cancellationToken));
        var reset = new Command("reset-password", "Give a user another password, read from standard input, and end all sessions of that user") { s_name };
        reset.SetAction((parse, cancellationToken) => WithAccountsAsync(parse, ResetAsync, cancellationToken));
        var list = new Command("list", "List all users with their role") { s_json };
        list.SetAction((parse, cancellationToken) => WithAccountsAsync(parse, ListAsync, cancellationToken));
        return new Command("user", "Add users, reset passwords, list users") { add, reset, list };
    }

    private static async Task<int> AddAsync(ParseResult parse, UserAccounts accounts, CancellationToken cancellationToken)
    {
        var name = parse.GetRequiredValue(s_name);
        Demand(await accounts.AddAsync(name, ReadPassword(), parse.GetRequiredValue(s_role), cancellationToken));
        Console.WriteLine($"User {name} added as {parse.GetRequiredValue(s_role)}");
        return CliExitCode.Done;
    }

    private static async Task<int> ResetAsync(ParseResult parse, UserAccounts accounts, CancellationToken cancellationToken)
    {
        var name = parse.GetRequiredValue(s_name);
        Demand(await accounts.ResetPasswordAsync(name, ReadPassword(), cancellationToken) ?? throw new CliException(CliExitCode.Failed, $"user: there is no user '{name}'; see 'mpsec user list'"));
        Console.WriteLine($"Password of {name} changed; open sessions end within {AuthSetup.Revalidation.TotalSeconds:0} s");
        return CliExitCode.Done;
    }

    private static async Task<int> ListAsync(ParseResult parse, UserAccounts accounts, CancellationToken cancellationToken)
    {
        var users = await accounts.ListAsync(cancellationToken);
        if (parse.GetValue(s_json))
        {
            Console.WriteLine(JsonSerializer.Serialize(users, MPSecCommandLine.Json));
            return CliExitCode.Done;
        }

        foreach (var user in users)
        {
            Console.WriteLine($"{user.Name,-32} {user.Role}");
        }

        return CliExitCode.Done;
    }

    private static async Task<int> WithAccountsAsync(
        ParseResult parse, Func<ParseResult, UserAccounts, CancellationToken, Task<int>> action, CancellationToken cancellationToken)
    {
        await using var provider = new ServiceCollection()
            .AddLogging()
            .AddMPSecData(parse.GetRequiredValue(MPSecCommandLine.State))
            .AddSingleton(TimeProvider.System)
            .AddMPSecUsers()
            .BuildServiceProvider();
        try
        {
            await provider.GetRequiredService<DatabaseStart>().PrepareAsync(cancellationToken);
        }
        catch (StateFolderException e) when (e.Fault == StateFolderFault.InUse)
        {
            // The running server has prepared the database; SQLite lets a second process in.
        }

        await using var scope = provider.CreateAsyncScope();
        var accounts = scope.ServiceProvider.GetRequiredService<UserAccounts>();
        await accounts.EnsureRolesAsync();
        return await action(parse, accounts, cancellationToken);
    }

    private static void Demand(IdentityResult result)
    {
        if (!result.Succeeded)
        {
            throw new CliException(CliExitCode.Failed, "user: " + string.Join(" ", result.Errors.Select(e => e.Description)));
        }
    }

    private static string ReadPassword()
    {
        if (Console.IsInputRedirected)
        {
            return Console.In.ReadLine() ?? throw new CliException(CliExitCode.Usage, "password: standard input is empty; give the password as its first line");
        }

        var first = Ask("Password: ");
        return first == Ask("Password again: ") ? first : throw new CliException(CliExitCode.Failed, "password: the two passwords differ; nothing was changed");
    }

    private static string Ask(string prompt)
    {
        Console.Error.Write(prompt);
        var typed = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                typed.Length = Math.Max(0, typed.Length - 1);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                typed.Append(key.KeyChar);
            }
        }

        Console.Error.WriteLine();
        return typed.ToString();
    }
}
