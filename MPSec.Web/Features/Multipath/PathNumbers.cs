using System.Globalization;
using Microsoft.EntityFrameworkCore;
using MPSec.Data;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Multipath;

/// <summary>
/// Decides which interfaces are paths and gives each its lasting number. An interface becomes a path when it has a global address and a default route
/// leaves by it, or an MPTCP endpoint has its address; it stays one while it exists, because its routes vanish when its link goes down.
/// </summary>
public sealed partial class PathNumbers(IDbContextFactory<MPSecDbContext> database, ILogger<PathNumbers> logger)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<GatewayName, Dictionary<string, int>> _numbers = [];

    /// <summary>Numbers by interface name of all paths that <paramref name="reading"/> shows.</summary>
    public IReadOnlyDictionary<string, int> Of(GatewayReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        lock (_lock)
        {
            if (!_numbers.TryGetValue(reading.Gateway, out var known))
            {
                _numbers[reading.Gateway] = known = Load(reading.Gateway);
            }

            foreach (var name in Candidates(reading))
            {
                if (!known.ContainsKey(name))
                {
                    var number = FreeNumber(known, name);
                    known[name] = number;
                    Save(reading.Gateway, name, number);
                }
            }

            return reading.Links.Where(l => known.ContainsKey(l.Name)).ToDictionary(l => l.Name, l => known[l.Name]);
        }
    }

    /// <summary>Interfaces that are paths by what the kernel says now, in the order of their index.</summary>
    internal static IEnumerable<string> Candidates(GatewayReading reading)
    {
        var leaves = reading.Routes.Where(r => r.Destination.Length == 0 && r.Kind == "unicast").Select(r => r.InterfaceIndex).ToHashSet();
        var announced = reading.Endpoints.Select(e => e.Address).ToHashSet();
        foreach (var link in reading.Links)
        {
            var own = reading.Addresses.Where(a => a.InterfaceIndex == link.Index && a.Scope == 0);
            if (!link.IsLoopback && own.Any(a => leaves.Contains(link.Index) || announced.Contains(a.Prefix.Address)))
            {
                yield return link.Name;
            }
        }
    }

    /// <summary>The number in the name when it is free (path3 becomes 3), else the lowest free one.</summary>
    internal static int FreeNumber(Dictionary<string, int> known, string name)
    {
        var digits = name.AsSpan(name.AsSpan().TrimEnd("0123456789").Length);
        if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var wanted) && wanted is >= 1 and <= 99 && !known.ContainsValue(wanted))
        {
            return wanted;
        }

        return Enumerable.Range(1, known.Count + 1).First(n => !known.ContainsValue(n));
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Warning, Message = "The number of a path of gateway {Gateway} could not be read or kept; it may change at the next start")]
    private static partial void LogNotKept(ILogger logger, Exception exception, GatewayName gateway);

    private Dictionary<string, int> Load(GatewayName gateway)
    {
        try
        {
            using var context = database.CreateDbContext();
            return context.Set<PathProfile>().AsNoTracking().Where(p => p.Gateway == gateway.Value).ToDictionary(p => p.InterfaceName, p => p.Number);
        }
        catch (Exception e) when (e is DbUpdateException or System.Data.Common.DbException)
        {
            LogNotKept(logger, e, gateway);
            return [];
        }
    }

    private void Save(GatewayName gateway, string name, int number)
    {
        try
        {
            using var context = database.CreateDbContext();
            context.Add(new PathProfile { Gateway = gateway.Value, InterfaceName = name, Number = number });
            context.SaveChanges();
        }
        catch (Exception e) when (e is DbUpdateException or System.Data.Common.DbException)
        {
            // The view must go on without the database; the number holds until the process ends.
            LogNotKept(logger, e, gateway);
        }
    }
}
