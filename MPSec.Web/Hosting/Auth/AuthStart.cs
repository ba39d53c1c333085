using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;
using MPSec.Data;

namespace MPSec.Hosting.Auth;

/// <summary>What sign-in needs before the first request, and the first administrator's link after the addresses are known.</summary>
public sealed class AuthStart(
    StateFolder folder, IOptions<MPSecOptions> options, IServiceScopeFactory scopes, FirstAdministrator first, IServer server) : IHostedLifecycleService
{
    /// <inheritdoc/>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder.KeysFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<UserAccounts>().EnsureRolesAsync();
    }

    /// <inheritdoc/>
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        var address = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        if (address is not null && await first.IssueAsync(Reachable(address) + options.Value.PathBase, options.Value.StartLab ? "lab-a" : null, cancellationToken) is { } link)
        {
            Console.WriteLine($"First administrator: {link}");
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // "Every address" is nothing that a browser can open.
    private static string Reachable(string address) =>
        address.Replace("://0.0.0.0", "://localhost").Replace("://[::]", "://localhost").Replace("://+", "://localhost").Replace("://*", "://localhost").TrimEnd('/');
}
