namespace MPSec.Components.Layout;

/// <summary>What a gateway is, for the word beside its name.</summary>
public enum ShellGatewayKind
{
    /// <summary>The machine that MPSec runs on.</summary>
    ThisMachine,

    /// <summary>One side of a lab testbed.</summary>
    Lab,

    /// <summary>Another network namespace of this machine.</summary>
    Namespace,
}

/// <summary>A gateway as the switcher shows it.</summary>
/// <param name="Name">Name, as in the query parameter <c>gateway</c>.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Managed">Whether MPSec may change it; otherwise it only observes.</param>
public sealed record ShellGateway(string Name, ShellGatewayKind Kind, bool Managed);

/// <summary>What the frame around every page shows. Hosting implements it; a count of null means that the thing does not exist (yet).</summary>
public interface IShellState
{
    /// <summary>Raised on any thread after one of the values changed.</summary>
    event Action? Changed;

    /// <summary>All gateways, the host first.</summary>
    IReadOnlyList<ShellGateway> Gateways { get; }

    /// <summary>Gateway shown when the address names none.</summary>
    string DefaultGateway { get; }

    /// <summary>Findings of the doctor that need attention.</summary>
    int? Findings { get; }

    /// <summary>Jobs queued or running.</summary>
    int? RunningJobs { get; }

    /// <summary>Changes applied but not yet confirmed.</summary>
    int? PendingChanges { get; }
}
