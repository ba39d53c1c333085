using System.Globalization;

namespace MPSec.Data;

/// <summary>The folder that holds everything MPSec writes (<c>--state</c>). Every path below it is named here and nowhere else.</summary>
public sealed class StateFolder
{
    /// <summary>Names the folder; nothing is read or made yet.</summary>
    /// <param name="root">A path; a relative one is taken from the working folder.</param>
    /// <exception cref="ArgumentException">The path is empty or holds a NUL character.</exception>
    public StateFolder(string root)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(root);
        Root = Path.GetFullPath(root);
    }

    /// <summary>Absolute path of the folder itself (mode 0700).</summary>
    public string Root { get; }

    /// <summary>SQLite database of users, configuration, audit, intents and runs: nothing acknowledged is ever lost from it.</summary>
    public string ConfigurationDatabase => Path.Combine(Root, "configuration.db");

    /// <summary>SQLite database of measured series and events: kept apart, because a full or damaged one must never touch the configuration.</summary>
    public string HistoryDatabase => Path.Combine(Root, "history.db");

    /// <summary>How much history is kept, when that was set on the page.</summary>
    public string HistorySettings => Path.Combine(Root, "history-settings.json");

    /// <summary>Room kept on the disk for history to make room in.</summary>
    public string HistoryReserve => Path.Combine(Root, "history.reserve");

    /// <summary>Address that alerts are sent to (mode 0600): such an address often holds a key.</summary>
    public string WebhookFile => Path.Combine(Root, "alert-webhook");

    /// <summary>Mail server that alerts are sent by, with its password (mode 0600).</summary>
    public string MailFile => Path.Combine(Root, "alert-mail");

    /// <summary>File that a running <c>mpsec serve</c> holds locked (flock(2)).</summary>
    public string LockFile => Path.Combine(Root, "mpsec.lock");

    /// <summary>File with the process id of the running <c>mpsec serve</c>; only meaningful while <see cref="LockFile"/> is locked.</summary>
    public string PidFile => Path.Combine(Root, "mpsec.pid");

    /// <summary>Socket (mode 0600) on which the dead-man of a network namespace waits for changes to guard.</summary>
    /// <param name="network">Inode of the namespace.</param>
    public string DeadManSocket(ulong network) => Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"dead-man-{network}.sock"));

    /// <summary>File that the dead-man which has that socket holds locked (flock(2)).</summary>
    /// <param name="network">Inode of the namespace.</param>
    public string DeadManLock(ulong network) => Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"dead-man-{network}.lock"));

    /// <summary>File with process id and start time (clock ticks since boot) of that dead-man, for scripts.</summary>
    /// <param name="network">Inode of the namespace.</param>
    public string DeadManPid(ulong network) => Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"dead-man-{network}.pid"));

    /// <summary>Keys that protect cookies and antiforgery tokens.</summary>
    public string KeysFolder => Path.Combine(Root, "keys");

    /// <summary>What is watched and who is told (mode 0600): holds the secrets of webhook and mail.</summary>
    public string AlertSettings => Path.Combine(Root, "alerts.json");

    /// <summary>One folder per job run.</summary>
    public string JobsFolder => Path.Combine(Root, "jobs");

    /// <summary>Folder of one run: its log and what its supervised programs leave.</summary>
    public string JobFolder(long run) => Path.Combine(JobsFolder, run.ToString(CultureInfo.InvariantCulture));

    /// <summary>Log of one run: UTF-8 text, one time-stamped line each.</summary>
    public string JobLog(long run) => Path.Combine(JobFolder(run), "log");

    /// <summary>What is known of the kernel that is tried, and of the ones before it.</summary>
    public string KernelBootFile => Path.Combine(Root, "kernel", "boot.json");

    /// <summary>File that whoever changes how the machine starts holds locked (flock(2)).</summary>
    public string KernelBootLock => Path.Combine(Root, "kernel", "boot.lock");

    /// <summary>Everything about kernels that are built here.</summary>
    public string KernelFolder => Path.Combine(Root, "kernel");

    /// <summary>Where a run builds its kernel: source and objects; goes when the run has its packages.</summary>
    public string KernelWork(long run) => Path.Combine(KernelFolder, "work", run.ToString(CultureInfo.InvariantCulture));

    /// <summary>One folder per finished kernel.</summary>
    public string KernelsFolder => Path.Combine(KernelFolder, "built");

    /// <summary>What a run made: packages, configuration, proof and where they come from.</summary>
    public string KernelResult(long run) => Path.Combine(KernelsFolder, run.ToString(CultureInfo.InvariantCulture));

    /// <summary>Objects of earlier builds, by which the next one is faster.</summary>
    public string CompilerCache => Path.Combine(KernelFolder, "ccache");

    /// <inheritdoc/>
    public override string ToString() => Root;
}
