using System.Globalization;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Processes;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Bench;

/// <summary>Network namespaces of one bench, removed by <see cref="DisposeAsync"/>. Their names hold the process that made them.</summary>
/// <param name="runner">Runs ip(8).</param>
/// <param name="roles">One letter per namespace; no two benches share one.</param>
public sealed class BenchNamespaces(ICommandRunner runner, string roles) : IAsyncDisposable
{
    private const string Prefix = "mpbench-";
    private readonly List<GatewayName> _made = [];

    /// <summary>The namespace of a role.</summary>
    public static GatewayName Name(char role) => GatewayName.Parse($"{Prefix}{Environment.ProcessId}-{role}");

    /// <summary>Makes them all, after those of a bench that was killed and belong to nobody any more are gone.</summary>
    /// <exception cref="IOException">A step failed.</exception>
    public async Task MakeAsync(CancellationToken cancellationToken)
    {
        foreach (var name in NamespaceThread.List().Where(n => n.Value.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            if (name.Value[Prefix.Length..].Split('-') is [var process, [var role]] && roles.Contains(role)
                && int.TryParse(process, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && (id == Environment.ProcessId || !Directory.Exists($"/proc/{id}")))
            {
                await RunAsync(new("ip", "netns", "del", name.Value), cancellationToken);
            }
        }

        foreach (var name in roles.Select(Name))
        {
            await RunAsync(new("ip", "netns", "add", name.Value), cancellationToken);
            _made.Add(name);
        }
    }

    /// <summary><c>ip -n NAME -batch</c> with these lines.</summary>
    /// <exception cref="IOException">One of them failed.</exception>
    public async Task BatchAsync(GatewayName name, IEnumerable<string> lines, CancellationToken cancellationToken)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllLinesAsync(file, lines, cancellationToken);
            await RunAsync(new("ip", "-n", name.Value, "-batch", file), cancellationToken);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="IOException">It failed.</exception>
    public async Task RunAsync(CommandRequest request, CancellationToken cancellationToken)
    {
        var result = await runner.RunAsync(request, cancellationToken);
        if (!result.Succeeded)
        {
            throw new IOException($"{request.Program} {string.Join(' ', request.Arguments)}: {result.Error.Trim()}");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var name in _made)
        {
            await runner.RunAsync(new("ip", "netns", "del", name.Value), CancellationToken.None);
        }

        _made.Clear();
    }
}
