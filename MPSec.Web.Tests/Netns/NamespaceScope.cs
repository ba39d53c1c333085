using System.Diagnostics;
using System.Text.Json;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Tests.Netns;

/// <summary>
/// Network namespaces of one test: unique names, loopback up, all deleted at the end. The constructor skips the test, with the reason, where
/// namespaces cannot be made.
/// </summary>
public sealed class NamespaceScope : IDisposable
{
    private static readonly Lazy<string?> Obstacle = new(FindObstacle);
    private readonly string _prefix = "mpt" + Guid.NewGuid().ToString("N")[..8];
    private readonly List<GatewayName> _names = [];

    public NamespaceScope() => Assert.SkipWhen(Obstacle.Value is not null, Obstacle.Value ?? "");

    /// <summary>Makes a namespace whose name ends in <paramref name="role"/>.</summary>
    public GatewayName Add(string role)
    {
        var name = GatewayName.Parse($"{_prefix}-{role}");
        Run("ip", "netns", "add", name.Value);
        _names.Add(name);
        Ip(name, "link", "set", "lo", "up");
        return name;
    }

    /// <summary>Deletes a namespace before the end of the test.</summary>
    public void Delete(GatewayName name)
    {
        if (_names.Remove(name))
        {
            Run("ip", "netns", "del", name.Value);
        }
    }

    /// <summary>Joins two namespaces by a veth pair that is up; an address such as 10.9.1.1/24 is optional.</summary>
    public void Veth(GatewayName a, string nameA, string? addressA, GatewayName b, string nameB, string? addressB)
    {
        Run("ip", "-n", a.Value, "link", "add", nameA, "type", "veth", "peer", "name", nameB, "netns", b.Value);
        foreach (var (ns, name, address) in new[] { (a, nameA, addressA), (b, nameB, addressB) })
        {
            if (address is not null)
            {
                Ip(ns, address.Contains(':', StringComparison.Ordinal) ? ["addr", "add", address, "dev", name, "nodad"] : ["addr", "add", address, "dev", name]);
            }

            Ip(ns, "link", "set", name, "up");
        }
    }

    /// <summary><c>ip -n NAMESPACE ARGUMENTS</c>; returns what it printed.</summary>
    public static string Ip(GatewayName ns, params string[] arguments) => Run("ip", ["-n", ns.Value, .. arguments]);

    /// <summary>The JSON that <c>ip -n NAMESPACE ARGUMENTS</c> prints.</summary>
    public static JsonElement IpJson(GatewayName ns, params string[] arguments) => Parse(Ip(ns, arguments));

    /// <summary>Runs a program inside a namespace and returns what it printed.</summary>
    public static string In(GatewayName ns, string program, params string[] arguments) => Run("ip", ["netns", "exec", ns.Value, program, .. arguments]);

    /// <summary>Parses JSON; nothing at all counts as an empty list, as <c>ip -j</c> prints it.</summary>
    public static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(string.IsNullOrWhiteSpace(json) ? "[]" : json);
        return document.RootElement.Clone();
    }

    /// <summary>Runs a program to its end; a failure throws with what it said.</summary>
    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit code {process.ExitCode}: {error.GetAwaiter().GetResult()}");
    }

    public void Dispose()
    {
        foreach (var name in _names.ToArray())
        {
            try
            {
                Delete(name);
            }
            catch (InvalidOperationException)
            {
                // Deleted by the test itself.
            }
        }
    }

    private static string? FindObstacle()
    {
        if (Environment.UserName != "root")
        {
            return "needs root to make network namespaces";
        }

        var name = "mpt" + Guid.NewGuid().ToString("N")[..8] + "-try";
        try
        {
            Run("ip", "netns", "add", name);
            NamespaceThread.Run(GatewayName.Parse(name), () => { });
            Run("ip", "netns", "del", name);
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or System.ComponentModel.Win32Exception)
        {
            return "cannot make network namespaces here: " + e.Message;
        }
    }
}
