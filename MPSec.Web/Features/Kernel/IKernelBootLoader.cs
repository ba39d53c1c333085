using MPSec.Changes;
using MPSec.Linux.Boot;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>
/// The boot loader, told what to start. Every call ends with a look at what the boot loader will do now, and throws when that is not what was wanted; it then has
/// left the menu as it was.
/// </summary>
internal interface IKernelBootLoader
{
    /// <summary>A file that MPSec adds and takes away, as seen from the root; null when there is none.</summary>
    string? OwnFile { get; }

    /// <summary>MPSec's own settings are there.</summary>
    bool IsGuarded { get; }

    /// <summary>Settings of a trial are there: every start resets itself after a panic or a hang.</summary>
    bool HasTrialSettings { get; }

    /// <summary>Remembered default, as the boot loader keeps it; null when it has none.</summary>
    string? Saved { get; }

    /// <summary>Why a trial would not be safe on this machine, in one sentence; null when it is.</summary>
    Task<string?> FaultAsync(CancellationToken cancellationToken);

    /// <summary>What will start.</summary>
    BootMenu Read();

    /// <summary>Makes the kernel of <paramref name="release"/> the default, with or without the settings of a trial. Done twice it is as good as once.</summary>
    /// <exception cref="ChangeException">The boot loader does not do it.</exception>
    Task PointAsync(string release, bool trial, CancellationToken cancellationToken);

    /// <summary>Makes the next start, and only that one, one of <paramref name="release"/>.</summary>
    /// <exception cref="ChangeException">The boot loader does not do it.</exception>
    Task OnceAsync(string release, CancellationToken cancellationToken);

    /// <summary>Takes the choice for the next start back.</summary>
    /// <exception cref="ChangeException">The boot loader does not do it.</exception>
    Task NotOnceAsync(CancellationToken cancellationToken);

    /// <summary>Looks whether the menu still starts <paramref name="release"/> by default after another program wrote it; puts the last good one back when not.</summary>
    /// <exception cref="ChangeException">It did not, and could not be put right.</exception>
    Task MendAsync(string release, CancellationToken cancellationToken);

    /// <summary>Takes MPSec's settings away: the machine chooses its default as it did before.</summary>
    /// <param name="saved">Remembered default to go back to; null for none.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <exception cref="ChangeException">The menu would have no kernel; nothing was changed.</exception>
    Task ReleaseAsync(string? saved, CancellationToken cancellationToken);

    /// <summary>The commands of <see cref="PointAsync"/>, <see cref="OnceAsync"/> for people to read.</summary>
    IReadOnlyList<string> Preview(string release);
}

/// <summary>Finds the boot loader of a machine and makes the adapter for it.</summary>
internal static class KernelBootLoaders
{
    /// <summary>The adapter.</summary>
    /// <exception cref="ChangeException"><see cref="ChangeFault.NotAvailable"/>: there is no boot loader that could be told anything.</exception>
    public static IKernelBootLoader Of(FoundBootLoader found, string root, ICommandRunner commands) => found.Kind switch
    {
        BootLoaderKind.Grub => new GrubBootLoader(root, found.Folder!, found.Prefix, commands),
        BootLoaderKind.SystemdBoot => new SystemdBootLoader(root, found.Folder!, commands),
        _ => throw new ChangeException(ChangeFault.NotAvailable, "kernel: " + found.Sentence),
    };

    /// <summary>Runs a program of the boot loader.</summary>
    /// <exception cref="ChangeException">It failed.</exception>
    public static async Task<string> RunAsync(ICommandRunner commands, string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        // grub-mkconfig looks for other systems on every disk where os-prober is on.
        var done = await commands.RunAsync(new(program, arguments) { Timeout = TimeSpan.FromMinutes(5) }, cancellationToken);
        if (done.Succeeded)
        {
            return done.Output;
        }

        var said = done.Error.Trim().Split('\n')[^1];
        throw new ChangeException(ChangeFault.Refused, done.TimedOut ? $"{program} did not end within 5 minutes" : $"{program} failed: {(said.Length > 0 ? said : $"exit code {done.ExitCode}")}");
    }
}
