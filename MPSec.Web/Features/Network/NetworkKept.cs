using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>One path as the keeper has last seen it.</summary>
internal sealed class KeptPath(string name)
{
    /// <summary>Tries after a link became ready; whoever takes the result away each time means it.</summary>
    public const int MostTries = 3;

    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(1);
    private long? _closesAt;

    public string Name { get; } = name;

    /// <summary>Index of its interface; null while there is none.</summary>
    public int? Index { get; set; }

    public bool IsReady { get; set; }

    /// <summary>How often it was down or without carrier, as <see cref="GatewayReading.Interruptions"/> counts.</summary>
    public int Interruptions { get; set; }

    /// <summary>The interface is another one than before: addresses, MTU and settings are gone with the old one.</summary>
    public bool Reappeared { get; set; }

    public int Tries { get; set; }

    public bool IsOpen(TimeProvider time) => _closesAt is { } end && time.GetTimestamp() < end;

    public void Open(TimeProvider time)
    {
        Tries = 0;
        Extend(time);
    }

    public void Extend(TimeProvider time) => _closesAt = time.GetTimestamp() + (long)(s_window.TotalSeconds * time.TimestampFrequency);

    public void Close() => _closesAt = null;
}

/// <summary>The paths of a gateway, and which of them came up lately. One caller at a time, but for <see cref="Absent"/> and <see cref="Any"/>.</summary>
internal sealed class KeptPaths(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, KeptPath> _paths = new(StringComparer.Ordinal);

    /// <summary>Whether there was a reading with paths.</summary>
    public bool Any
    {
        get
        {
            lock (_lock)
            {
                return _paths.Count > 0;
            }
        }
    }

    /// <summary>The gateway is gone: whatever comes is new.</summary>
    public void Absent()
    {
        lock (_lock)
        {
            foreach (var path in _paths.Values)
            {
                (path.Index, path.IsReady) = (null, false);
                path.Close();
            }
        }
    }

    /// <summary>Takes a reading in; returns the paths that became ready or reappeared with it. A path that is seen for the first time is taken as it is.</summary>
    public ImmutableArray<KeptPath> Observe(NetworkDocument document, GatewayReading reading)
    {
        var woken = ImmutableArray.CreateBuilder<KeptPath>();
        lock (_lock)
        {
            foreach (var name in _paths.Keys.Where(n => document.FindPath(n) is null).ToList())
            {
                _paths.Remove(name);
            }

            foreach (var wanted in document.Paths)
            {
                var link = reading.Links.FirstOrDefault(l => l.Name == wanted.Interface.Value);
                var ready = link is { IsUp: true, HasCarrier: true };
                var interruptions = link is null ? 0 : reading.Interruptions.GetValueOrDefault(link.Index) + reading.Interruptions.GetValueOrDefault(0);
                if (!_paths.TryGetValue(wanted.Interface.Value, out var path))
                {
                    _paths[wanted.Interface.Value] = new(wanted.Interface.Value) { Index = link?.Index, IsReady = ready, Interruptions = interruptions };
                    continue;
                }

                var reappeared = link is not null && link.Index != path.Index;
                if (reappeared || (ready && (!path.IsReady || interruptions != path.Interruptions)))
                {
                    path.Reappeared |= reappeared;
                    path.Open(time);
                    woken.Add(path);
                }
                else if (link is null || (!ready && !path.Reappeared))
                {
                    path.Close();
                }

                (path.Index, path.IsReady, path.Interruptions) = (link?.Index, ready, interruptions);
            }
        }

        return woken.ToImmutable();
    }

    /// <summary>Paths that came up lately and are to be up.</summary>
    public ImmutableArray<KeptPath> Open(NetworkDocument document)
    {
        lock (_lock)
        {
            return [.. _paths.Values.Where(p => p.IsOpen(time) && document.FindPath(p.Name) is { Up: true, Role: not NetworkPathRole.Off })];
        }
    }
}

/// <summary>What of a path is missing. Pure.</summary>
internal static class NetworkKept
{
    /// <summary>
    /// Operations that add what the document says about a path and the kernel does not have. Link, MTU and settings of the interface only when it
    /// reappeared: otherwise somebody changed them on purpose.
    /// </summary>
    public static ImmutableArray<HostOperation> Missing(NetworkDocument document, string name, bool reappeared, NetworkKernelState state)
    {
        if (document.FindPath(name) is not { } path)
        {
            return [];
        }

        // The order of addresses is no reason to take one away.
        var order = state.AddressesOf(name).Select(a => a.Prefix).ToList();
        var part = document with
        {
            Paths = document.Paths.Replace(path, path with { Addresses = [.. path.Addresses.OrderBy(a => order.IndexOf(a) is var index and >= 0 ? index : int.MaxValue)] }),
            Mptcp = document.Mptcp is { } mptcp ? new() { Endpoints = mptcp.Endpoints } : null,
            Settings = reappeared ? document.Settings.Where(s => IsOf(s.Key, name)).ToImmutableSortedDictionary(StringComparer.Ordinal) : NetworkDocument.Empty.Settings,
        };
        var all = NetworkPlanner.Compute(state.Reading.Gateway, part, part, state, NetworkPlanAim.Restore).Operations;
        var own = path.Addresses.Select(a => a.Address).Concat(state.AddressesOf(name).Select(a => a.Prefix.Address)).ToHashSet();
        return [.. all.Where(o => IsOf(o, path, own, reappeared))];
    }

    /// <summary>Whether a setting is of this interface alone.</summary>
    public static bool IsOf(string setting, string name) => setting.Contains($".{name.Replace('.', '/')}.", StringComparison.Ordinal);

    private static bool IsOf(HostOperation operation, NetworkDocumentPath path, HashSet<IPAddress> own, bool reappeared) => operation switch
    {
        WriteSysctl => reappeared,
        SetMtu o => reappeared && o.Interface == path.Interface,
        SetLinkState o => reappeared && o.Interface == path.Interface,
        SetShaper o => reappeared && o.Interface == path.Interface,
        AddAddress o => o.Interface == path.Interface,
        ReplaceRoute { Route.Interface: { } device } => device == path.Interface,
        ReplaceRoute o => o.Route.Table == path.Table,
        AddRule o => o.Table == path.Table || own.Contains(o.Source.Address),
        AddEndpoint o => own.Contains(o.Address) || o.Interface == path.Interface,
        _ => false,
    };
}
