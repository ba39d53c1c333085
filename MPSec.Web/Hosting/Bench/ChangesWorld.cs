using System.Net;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Linux.Gateways;
using MPSec.Linux.Processes;
using MPSec.Linux.Values;

namespace MPSec.Hosting.Bench;

/// <summary>
/// What the changes bench works on: a namespace with one link per path to a second namespace, and a state folder of its own with journal and door.
/// Everything is removed by <see cref="DisposeAsync"/>, the dead-man included.
/// </summary>
public sealed class ChangesWorld : IAsyncDisposable
{
    /// <summary>Operations of the preview for each path.</summary>
    public const int PreviewedPerPath = 8;

    private readonly BenchNamespaces _namespaces;
    private readonly StateFolder _folder = new(Path.Combine(Path.GetTempPath(), $"mpsec-bench-{Guid.NewGuid():N}"));
    private readonly int _paths;
    private readonly int _routesPerPath;
    private ServiceProvider? _services;

    private ChangesWorld(ICommandRunner runner, int paths, int routesPerPath)
    {
        _namespaces = new(runner, "cd");
        (_paths, _routesPerPath) = (paths, routesPerPath);
    }

    /// <summary>The gateway that is changed.</summary>
    public GatewayName Gateway { get; } = BenchNamespaces.Name('c');

    /// <summary>Services of the Changes room, on the real kernel and a real journal.</summary>
    public IServiceProvider Services => _services!;

    /// <summary>Makes the world.</summary>
    /// <param name="runner">Runs ip(8).</param>
    /// <param name="time">Clock.</param>
    /// <param name="paths">Links, 1 to 8.</param>
    /// <param name="routesPerPath">Routes in the table of each path, at least 2.</param>
    /// <param name="add">Further services.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="IOException">A step failed; nothing is left.</exception>
    public static async Task<ChangesWorld> CreateAsync(
        ICommandRunner runner, TimeProvider time, int paths, int routesPerPath, Action<IServiceCollection> add, CancellationToken cancellationToken)
    {
        var world = new ChangesWorld(runner, paths, routesPerPath);
        try
        {
            await world._namespaces.MakeAsync(cancellationToken);
            var peer = BenchNamespaces.Name('d');
            await world._namespaces.BatchAsync(world.Gateway, ["link set lo up", .. world.Numbers.SelectMany(i => (string[])[$"link add p{i} type veth peer name p{i} netns {peer}", $"link set p{i} up"])], cancellationToken);
            await world._namespaces.BatchAsync(peer, ["link set lo up", .. world.Numbers.Select(i => $"link set p{i} up")], cancellationToken);
            var collection = new ServiceCollection().AddLogging().AddSingleton(time).AddMPSecData(world._folder.Root).AddMPSecChanges();
            add(collection);
            world._services = collection.BuildServiceProvider();
            var start = world._services.GetRequiredService<DatabaseStart>();
            await start.PrepareAsync(cancellationToken);
            start.Dispose(); // the dead-man is another process
            await world._services.GetRequiredService<GatewayModes>().SetAsync(world.Gateway, GatewayMode.Managed, ChangeActor.System, cancellationToken);
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>Addresses, routes, rules and endpoints of every path.</summary>
    public IReadOnlyList<HostOperation> Additions =>
    [
        .. Numbers.Select(i => new AddAddress(Gateway, Link(i), new(Own(i), 24))),
        .. Numbers.SelectMany(Routes).Select(r => new ReplaceRoute(Gateway, r)),
        .. Numbers.Select(i => new AddRule(Gateway, 1000 + (uint)i, new(Own(i), 32), Table(i))),
        .. Numbers.Select(i => new AddEndpoint(Gateway, (byte)i, Own(i), MptcpEndpointFlags.Subflow, Link(i))),
    ];

    /// <summary>The same, taken away.</summary>
    public IReadOnlyList<HostOperation> Removals =>
    [
        .. Numbers.Select(i => new RemoveEndpoint(Gateway, (byte)i, Own(i))),
        .. Numbers.Select(i => new RemoveRule(Gateway, 1000 + (uint)i, new(Own(i), 32), Table(i))),
        .. Numbers.SelectMany(Routes).Select(r => new RemoveRoute(Gateway, r)),
        .. Numbers.Select(i => new RemoveAddress(Gateway, Link(i), new(Own(i), 24))),
    ];

    /// <summary>What an administrator would look at before: of each path a second address with routing, another next hop, other flags, a setting.</summary>
    public IReadOnlyList<HostOperation> Previewed =>
    [
        .. Numbers.SelectMany(i =>
        {
            var second = Address(i, 101);
            return (HostOperation[])
            [
                new AddAddress(Gateway, Link(i), new(second, 24)),
                new AddRule(Gateway, 2000 + (uint)i, new(second, 32), Table(i)),
                new ReplaceRoute(Gateway, Route(i, "0.0.0.0/0") with { NextHop = Address(i, 3) }),
                new ReplaceRoute(Gateway, Route(i, "198.51.100.0/24") with { NextHop = Address(i, 3) }),
                new RemoveRoute(Gateway, Routes(i).Last()),
                new RemoveRule(Gateway, 1000 + (uint)i, new(Own(i), 32), Table(i)),
                new AddEndpoint(Gateway, (byte)i, Own(i), MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup, Link(i)),
                new WriteSysctl(Gateway, SysctlKey.Parse($"net.ipv4.conf.p{i}.rp_filter"), "2"),
            ];
        }),
    ];

    private IEnumerable<int> Numbers => Enumerable.Range(1, _paths);

    /// <summary>Lets ip(8) do the same by <c>-batch</c>.</summary>
    /// <exception cref="IOException">It failed.</exception>
    public Task RunByToolAsync(IReadOnlyList<HostOperation> operations, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(operations);
        return _namespaces.BatchAsync(Gateway, operations.Select(o => string.Join(' ', o.Command.Skip(3))), cancellationToken); // without ip -n NAME
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await DeadManPost.EndAllAsync(_folder, TimeProvider.System);
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        await _namespaces.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        if (Directory.Exists(_folder.Root))
        {
            Directory.Delete(_folder.Root, recursive: true);
        }
    }

    private static InterfaceName Link(int i) => InterfaceName.Parse($"p{i}");

    private static uint Table(int i) => 100 + (uint)i;

    private static IPAddress Own(int i) => Address(i, 1);

    private static IPAddress Address(int i, byte host) => new([10, 96, (byte)i, host]);

    private static RouteSpec Route(int i, string destination) => new() { Destination = IpPrefix.Parse(destination), Interface = Link(i), NextHop = Address(i, 2), Table = Table(i) };

    private IEnumerable<RouteSpec> Routes(int i) =>
    [
        new() { Destination = IpPrefix.Parse($"10.96.{i}.0/24"), Interface = Link(i), Source = Own(i), Table = Table(i) },
        Route(i, "0.0.0.0/0"),
        .. Enumerable.Range(1, _routesPerPath - 2).Select(n => Route(i, $"172.{16 + i}.{n}.0/24")),
    ];
}
