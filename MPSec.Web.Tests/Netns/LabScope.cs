using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Features.Lab;
using MPSec.Features.Network;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>A lab of one test with its own state folder; dropped at the end.</summary>
internal sealed class LabScope : IAsyncDisposable
{
    private readonly NamespaceScope _skips = new();
    private readonly TempState _state = new();
    private ServiceProvider _services = null!;

    public string Name { get; } = "mpt" + Guid.NewGuid().ToString("N")[..8];

    public LabSpec Spec { get; private set; } = null!;

    public IServiceProvider Services => _services;

    public string StateRoot => _state.Root;

    public LabService Labs => Get<LabService>();

    public static ChangeActor Admin { get; } = new("tester", ChangeRole.Administrator);

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public static async Task<LabScope> CreateAsync(string? paths = null)
    {
        var scope = new LabScope();
        try
        {
            scope._services = await scope._state.StartAsync(services => services.AddSingleton(TimeProvider.System).AddMPSecChanges().AddNetworkConfigurations().AddMPSecLab());
            if (paths is not null)
            {
                scope.Spec = LabSpec.Parse(scope.Name, paths, null, 50, out _)!;
                await scope.Labs.UpAsync(scope.Spec, Admin, TestContext.Current.CancellationToken);
            }

            return scope;
        }
        catch
        {
            await scope.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits for the condition; when it does not come, the test fails with what <paramref name="seen"/> tells then.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what, int seconds = 60, Func<string>? seen = null)
    {
        for (var i = 0; i < seconds * 10; i++)
        {
            if (condition())
            {
                return;
            }

            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Fail($"within {seconds} s: {what}{(seen is null ? "" : '\n' + seen())}");
    }

    public GatewayReading Read(GatewayName gateway)
    {
        using var reader = GatewayReader.Open(gateway);
        return reader.Read();
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            foreach (var lab in await Labs.StatusAsync(CancellationToken.None))
            {
                await Labs.DownAsync(lab.Name, Admin, CancellationToken.None);
            }

            await _services.DisposeAsync();
        }

        _state.Dispose();
        _skips.Dispose();
    }
}
