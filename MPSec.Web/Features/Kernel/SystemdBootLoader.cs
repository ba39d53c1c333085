using MPSec.Changes;
using MPSec.Linux.Boot;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>
/// systemd-boot, told by bootctl(1). Default and choice for once are variables of the firmware; there is no file of settings, so a kernel on trial resets itself
/// only when its command line, which is the user's, says so.
/// </summary>
internal sealed class SystemdBootLoader(string root, string partition, ICommandRunner commands) : IKernelBootLoader
{
    private const string Program = "bootctl";

    /// <inheritdoc/>
    public string? OwnFile => null;

    /// <inheritdoc/>
    public bool IsGuarded => false;

    /// <inheritdoc/>
    public bool HasTrialSettings => false;

    /// <inheritdoc/>
    public string? Saved => BootFirmware.SystemdText(root, "LoaderEntryDefault");

    /// <inheritdoc/>
    public Task<string?> FaultAsync(CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    /// <inheritdoc/>
    public BootMenu Read() => SystemdBootMenu.Read(root, partition);

    /// <inheritdoc/>
    public async Task PointAsync(string release, bool trial, CancellationToken cancellationToken)
    {
        await KernelBootLoaders.RunAsync(commands, Program, ["set-default", Entry(release).Id], cancellationToken);
        await MendAsync(release, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task OnceAsync(string release, CancellationToken cancellationToken)
    {
        await KernelBootLoaders.RunAsync(commands, Program, ["set-oneshot", Entry(release).Id], cancellationToken);
        if (Read().Once?.Release != release)
        {
            throw new ChangeException(ChangeFault.Refused, $"systemd-boot did not take {release} for the next start");
        }
    }

    /// <inheritdoc/>
    public async Task NotOnceAsync(CancellationToken cancellationToken)
    {
        if (Read().Once is not null)
        {
            await KernelBootLoaders.RunAsync(commands, Program, ["set-oneshot", ""], cancellationToken);
            if (Read().Once is { } still)
            {
                throw new ChangeException(ChangeFault.Refused, $"systemd-boot still starts {still.Title} next");
            }
        }
    }

    /// <inheritdoc/>
    public Task MendAsync(string release, CancellationToken cancellationToken) => Read().Default?.Release == release
        ? Task.CompletedTask
        : throw new ChangeException(ChangeFault.Refused, $"systemd-boot does not start {release} by default");

    /// <inheritdoc/>
    public async Task ReleaseAsync(string? saved, CancellationToken cancellationToken)
    {
        await NotOnceAsync(cancellationToken);
        await KernelBootLoaders.RunAsync(commands, Program, ["set-default", saved ?? ""], cancellationToken);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Preview(string release) => [$"{Program} set-default '{Read().For(release)?.Id}'"];

    private BootEntry Entry(string release) => Read().For(release) ?? throw new ChangeException(ChangeFault.Refused, $"systemd-boot has no entry for {release}");
}
