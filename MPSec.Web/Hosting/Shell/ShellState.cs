using MPSec.Components.Layout;

namespace MPSec.Hosting.Shell;

/// <summary>What the frame around every page shows. Whoever knows a value sets it; every browser hears of it.</summary>
public sealed class ShellState : IShellState
{
    private readonly Lock _lock = new();
    private IReadOnlyList<ShellGateway> _gateways = [new("host", ShellGatewayKind.ThisMachine, Managed: false)];
    private int? _findings;
    private int? _runningJobs;
    private int? _pendingChanges;

    /// <inheritdoc/>
    public event Action? Changed;

    /// <inheritdoc/>
    public IReadOnlyList<ShellGateway> Gateways => _gateways;

    /// <inheritdoc/>
    public string DefaultGateway => "host";

    /// <inheritdoc/>
    public int? Findings => _findings;

    /// <inheritdoc/>
    public int? RunningJobs => _runningJobs;

    /// <inheritdoc/>
    public int? PendingChanges => _pendingChanges;

    /// <summary>Sets the gateways; the host belongs first.</summary>
    public void SetGateways(IReadOnlyList<ShellGateway> gateways) => Set(() => !_gateways.SequenceEqual(gateways), () => _gateways = gateways);

    /// <summary>Sets the number of findings; null when there is no doctor.</summary>
    public void SetFindings(int? count) => Set(() => _findings != count, () => _findings = count);

    /// <summary>Sets the number of jobs queued or running.</summary>
    public void SetRunningJobs(int? count) => Set(() => _runningJobs != count, () => _runningJobs = count);

    /// <summary>Sets the number of changes that wait for a confirmation.</summary>
    public void SetPendingChanges(int? count) => Set(() => _pendingChanges != count, () => _pendingChanges = count);

    private void Set(Func<bool> differs, Action assign)
    {
        lock (_lock)
        {
            if (!differs())
            {
                return;
            }

            assign();
        }

        Changed?.Invoke();
    }
}
