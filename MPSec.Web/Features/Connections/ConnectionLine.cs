using System.Collections.Immutable;
using MPSec.Linux.Values;

namespace MPSec.Features.Connections;

/// <summary>A line of the list: a connection, or one of its subflows.</summary>
/// <param name="Row">The connection.</param>
/// <param name="Subflow">The subflow; null for the line of the connection itself.</param>
public readonly record struct ConnectionLine(ConnectionRow Row, SubflowRow? Subflow)
{
    /// <summary>Names the line for the renderer.</summary>
    public object Key => Subflow is { } s ? (Row.Key, s.Local, s.Remote) : Row.Key;

    /// <summary>The lines of <paramref name="rows"/>, with the subflows of those in <paramref name="open"/>.</summary>
    public static List<ConnectionLine> Of(IReadOnlyList<ConnectionRow> rows, IReadOnlySet<ConnectionKey> open)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(open);
        var lines = new List<ConnectionLine>(rows.Count + (4 * open.Count));
        foreach (var row in rows)
        {
            lines.Add(new(row, null));
            if (open.Contains(row.Key))
            {
                foreach (var subflow in row.Subflows)
                {
                    lines.Add(new(row, subflow));
                }
            }
        }

        return lines;
    }
}

/// <summary>What a person types in a terminal to see the same.</summary>
public static class ConnectionCommands
{
    /// <summary>The connection and its subflows by <c>ss</c>, from outside of the gateway.</summary>
    public static ImmutableArray<string> Show(GatewayName gateway, ConnectionRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        var prefix = Prefix(gateway);
        var subflows = row.Subflows.Select(s => $"( {Both(s.Kernel.Local, s.Kernel.Remote)} )").ToList();
        return subflows.Count == 0
            ? [$"{prefix}ss -Mni '{Both(row.Kernel.Local, row.Kernel.Remote)}'"]
            : [$"{prefix}ss -Mni '{Both(row.Kernel.Local, row.Kernel.Remote)}'", $"{prefix}ss -tni '{string.Join(" or ", subflows)}'"];
    }

    /// <summary>How to begin a connection over MPTCP with a program that does not know it.</summary>
    public static ImmutableArray<string> Begin(GatewayName gateway) => [$"{Prefix(gateway)}mptcpize run curl -o /dev/null http://ADDRESS/FILE"];

    private static string Prefix(GatewayName gateway) => gateway.IsHost ? "" : $"ip netns exec {gateway} ";

    private static string Both(System.Net.IPEndPoint local, System.Net.IPEndPoint remote) => $"src {local} and dst {remote}";
}
