using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MPSec.Changes;
using MPSec.Features.Settings;
using MPSec.Hosting.Auth;

namespace MPSec.Hosting.Cli;

/// <summary><c>mpsec token</c>: bearer tokens without the web page. A new token goes to standard output alone, once; it is never an argument and in no log.</summary>
public static class TokenCommand
{
    private static readonly Argument<string> s_name = new("name") { Description = "What the token is for: letters, digits and - . _" };
    private static readonly Option<string> s_role = new Option<string>("--role") { Description = "What it may do", DefaultValueFactory = _ => UserRole.Viewer }.AcceptOnlyFromAmong([.. UserRole.All]);
    private static readonly Option<int> s_days = new("--days") { Description = $"How long it is good, 1 to {ApiTokenService.MostDays} days", DefaultValueFactory = _ => ApiTokenService.UsualDays };
    private static readonly Option<bool> s_json = MPSecCommandLine.JsonOption();

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var add = new Command("add", "Make a token and print it, this once") { s_name, s_role, s_days };
        add.SetAction((parse, cancellationToken) => RunAsync(parse, AddAsync, cancellationToken));
        var list = new Command("list", "List all tokens, without their secrets") { s_json };
        list.SetAction((parse, cancellationToken) => RunAsync(parse, ListAsync, cancellationToken));
        var revoke = new Command("revoke", "Take a token back; it is refused from the next request on") { s_name };
        revoke.SetAction((parse, cancellationToken) => RunAsync(parse, RevokeAsync, cancellationToken));
        return new Command("token", "Make, list and revoke bearer tokens for the API and /metrics") { add, list, revoke };
    }

    private static async Task<int> AddAsync(ParseResult parse, ApiTokenService tokens, CancellationToken cancellationToken)
    {
        var made = await tokens.CreateAsync(
            parse.GetRequiredValue(s_name), Enum.Parse<ChangeRole>(parse.GetRequiredValue(s_role)), parse.GetRequiredValue(s_days), ChangeActor.Terminal(), cancellationToken);
        await Console.Error.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"Token {made.Token.Name} ({made.Token.Role}) is good until {made.Token.ExpiresAt:yyyy-MM-dd HH:mm} UTC; it is shown only now"));
        Console.WriteLine(made.Secret);
        return CliExitCode.Done;
    }

    private static async Task<int> ListAsync(ParseResult parse, ApiTokenService tokens, CancellationToken cancellationToken)
    {
        var all = await tokens.ListAsync(cancellationToken);
        if (parse.GetValue(s_json))
        {
            Console.WriteLine(JsonSerializer.Serialize(all, MPSecCommandLine.Json));
            return CliExitCode.Done;
        }

        foreach (var t in all)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{t.Name,-24} {t.State,-8} {t.Role,-14} {t.Key}  expires {t.ExpiresAt:yyyy-MM-dd HH:mm}  used {(t.LastUsedAt is { } used ? used.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) : "never")}"));
        }

        return CliExitCode.Done;
    }

    private static async Task<int> RevokeAsync(ParseResult parse, ApiTokenService tokens, CancellationToken cancellationToken)
    {
        var name = parse.GetRequiredValue(s_name);
        await tokens.RevokeAsync(name, ChangeActor.Terminal(), cancellationToken);
        Console.WriteLine($"Token {name} revoked");
        return CliExitCode.Done;
    }

    private static Task<int> RunAsync(ParseResult parse, Func<ParseResult, ApiTokenService, CancellationToken, Task<int>> act, CancellationToken cancellationToken) => CliServices.RunAsync(
        parse, services => services.AddSingleton<ApiTokenService>(), services => act(parse, services.GetRequiredService<ApiTokenService>(), cancellationToken), cancellationToken, recover: false);
}
