using System.Collections.Immutable;
using System.Net;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Lab;

/// <summary>
/// How a testbed looks inside. Path <c>i</c> is the veth pair <c>pathi</c> on both ends, network 10.99.i.0/24, .1 on a and .2 on b, shaped at both ends.
/// Each end routes its own address of the path by table <c>100 + i</c>, found by the rule with priority <c>1000 + i</c>; an unreachable default closes the
/// table, so that nothing leaks into another path when the interface is down and the table empty.
/// </summary>
public static class LabLayout
{
    /// <summary>Metric of the unreachable default: behind every real route (the kernel's own last resort is 4294967295).</summary>
    public const uint LastResort = 4278198272;

    /// <summary>
    /// The longest that a subflow waits before it tries a path again, milliseconds. With the kernel's 120 s a subflow that was cut off for 20 s tries again only
    /// after up to 25 s more, because its timer doubles each time; with 1 s it is back within 1 s of the path, however long it was gone.
    /// </summary>
    public const int RetryMs = 1000;

    /// <summary>
    /// Tries before a silent subflow is given up, the kernel's largest. At one try a second the usual 15 would close it after 15 s, and the kernel never opens a
    /// closed subflow again; 255 keep it for about four minutes.
    /// </summary>
    public const int Tries = 255;

    /// <summary>Interface of path <paramref name="number"/>, from 1.</summary>
    public static InterfaceName Interface(int number) => InterfaceName.Parse($"path{number}");

    /// <summary>Address of a side on path <paramref name="number"/>.</summary>
    public static IPAddress Address(int number, bool onA) => new([10, 99, (byte)number, onA ? (byte)1 : (byte)2]);

    /// <summary>Announcement of path <paramref name="number"/>, from 2, by the listening side.</summary>
    public static AddEndpoint Endpoint(GatewayName b, int number) => new(b, (byte)number, Address(number, onA: false), MptcpEndpointFlags.Signal, Interface(number));

    /// <summary>The plan that makes the testbed.</summary>
    /// <param name="spec">A sound spec.</param>
    /// <param name="capsRetries">Whether the kernel has <c>net.ipv4.tcp_rto_max_ms</c> (6.15).</param>
    public static ChangePlan Up(LabSpec spec, bool capsRetries)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var operations = ImmutableArray.CreateBuilder<HostOperation>();
        operations.Add(new CreateNamespace(spec.A, CreateNamespace.NewMarker()));
        operations.Add(new CreateNamespace(spec.B, CreateNamespace.NewMarker()));
        foreach (var gateway in (GatewayName[])[spec.A, spec.B])
        {
            operations.Add(new SetLinkState(gateway, InterfaceName.Parse("lo"), true));
            operations.AddRange(Settings(capsRetries).Select(s => new WriteSysctl(gateway, SysctlKey.Parse(s.Key), s.Value)));
            operations.Add(new SetMptcpLimits(gateway, 8, 8));
        }

        for (var i = 1; i <= spec.Paths.Length; i++)
        {
            operations.Add(new AddVethPair(spec.A, Interface(i), spec.B, Interface(i)));
            operations.AddRange(End(spec, i, onA: true));
            operations.AddRange(End(spec, i, onA: false));
        }

        // Once both ends are up: a next hop must be reachable.
        for (var i = 1; i <= spec.Paths.Length; i++)
        {
            operations.AddRange(Routes(spec.A, i, onA: true));
            operations.AddRange(Routes(spec.B, i, onA: false));
            if (i > 1)
            {
                operations.Add(Endpoint(spec.B, i));
            }
        }

        return new() { TitleCode = "lab.up", TitleArguments = [spec.Name], Operations = operations.ToImmutable(), Danger = ChangeDanger.Low };
    }

    /// <summary>Routes of one side for one path.</summary>
    public static IEnumerable<HostOperation> Routes(GatewayName gateway, int number, bool onA)
    {
        var table = (uint)(100 + number);
        var own = Address(number, onA);
        var route = new RouteSpec { Destination = new(new IPAddress([10, 99, (byte)number, 0]), 24), Interface = Interface(number), Source = own, Table = table };
        var all = new IpPrefix(IPAddress.Any, 0);
        return
        [
            new AddRule(gateway, (uint)(1000 + number), new IpPrefix(own, 32), table),
            new ReplaceRoute(gateway, route),
            new ReplaceRoute(gateway, new() { Destination = all, Interface = Interface(number), NextHop = Address(number, !onA), Table = table }),
            new ReplaceRoute(gateway, new() { Destination = all, Kind = RouteKind.Unreachable, Metric = LastResort, Table = table }),
        ];
    }

    private static IEnumerable<HostOperation> End(LabSpec spec, int number, bool onA)
    {
        var gateway = onA ? spec.A : spec.B;
        var path = spec.Paths[number - 1];
        return
        [
            new AddAddress(gateway, Interface(number), new IpPrefix(Address(number, onA), 24)),
            SetShaper.ForPath(gateway, Interface(number), (long)(path.RateMbit * 1e6), TimeSpan.FromMilliseconds(spec.BufferMs), TimeSpan.FromMilliseconds(path.RttMs / 2)),
            new SetLinkState(gateway, Interface(number), true),
        ];
    }

    private static IEnumerable<KeyValuePair<string, string>> Settings(bool capsRetries)
    {
        yield return new("net.mptcp.enabled", "1");
        yield return new("net.ipv4.ip_forward", "1");
        yield return new("net.ipv4.conf.all.rp_filter", "2");
        yield return new("net.ipv4.conf.default.rp_filter", "2");
        if (capsRetries)
        {
            yield return new("net.ipv4.tcp_rto_max_ms", $"{RetryMs}");
            yield return new("net.ipv4.tcp_retries2", $"{Tries}");
        }
    }
}
