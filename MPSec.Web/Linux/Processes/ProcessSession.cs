using System.Globalization;
using System.Text;

namespace MPSec.Linux.Processes;

/// <summary>
/// The processes of one session (setsid(2)) that carry a mark in their environment. Both are inherited by every descendant, so they find the programs of a
/// run also when the leader is gone, and never a stranger whose session number happens to be the same.
/// </summary>
public static class ProcessSession
{
    /// <summary>Living members of the session of <paramref name="leader"/> whose environment holds <paramref name="mark"/> (a whole <c>NAME=value</c>).</summary>
    public static IReadOnlyList<ProcessIdentity> Members(ProcessIdentity leader, string mark)
    {
        ArgumentNullException.ThrowIfNull(leader);
        if (leader.BootId != ProcessIdentity.CurrentBootId)
        {
            return [];
        }

        var members = new List<ProcessIdentity>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && ProcessStat.Read(pid) is { IsZombie: false } stat
                && stat.Session == leader.Pid
                && stat.StartTicks >= leader.StartTicks
                && HasMark(pid, mark))
            {
                members.Add(new(pid, stat.StartTicks, leader.BootId));
            }
        }

        return members;
    }

    /// <summary>Asks the whole process group of a living <paramref name="leader"/> to end (SIGTERM). Nothing is sent when it is gone.</summary>
    public static void Terminate(ProcessIdentity leader) => Signal(leader, ProcessCalls.SigTerm);

    /// <summary>Halts the whole process group of <paramref name="leader"/> where it is (SIGSTOP), until <see cref="Resume"/>. False when it is gone.</summary>
    public static bool Suspend(ProcessIdentity leader) => Signal(leader, ProcessCalls.SigStop);

    /// <summary>Lets a process group that was halted go on (SIGCONT). False when it is gone.</summary>
    public static bool Resume(ProcessIdentity leader) => Signal(leader, ProcessCalls.SigContinue);

    /// <summary>Ends the session for good (SIGKILL): the leader first, so that nothing new is started, then every marked member.</summary>
    public static void Kill(ProcessIdentity leader, string mark)
    {
        ArgumentNullException.ThrowIfNull(leader);
        if (leader.IsAlive)
        {
            _ = LibC.Kill(leader.Pid, ProcessCalls.SigKill);
        }

        foreach (var member in Members(leader, mark))
        {
            if (member.IsAlive)
            {
                _ = LibC.Kill(member.Pid, ProcessCalls.SigKill);
            }
        }
    }

    /// <summary>
    /// Ends (SIGKILL) every process that carries a mark in its environment, and waits until they are gone: what a killed process had started, when the mark is of
    /// something that only one can hold at a time.
    /// </summary>
    /// <exception cref="IOException">One of them does not end.</exception>
    public static async Task KillMarkedAsync(string mark, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var left = Directory.EnumerateDirectories("/proc")
                .Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && pid != Environment.ProcessId && HasMark(pid, mark) ? ProcessIdentity.Of(pid) : null)
                .OfType<ProcessIdentity>().ToArray();
            if (left.Length == 0)
            {
                return;
            }

            if (attempt == 100)
            {
                throw new IOException($"process {left[0].Pid}, left over from an earlier call, does not end");
            }

            foreach (var process in left.Where(p => p.IsAlive))
            {
                _ = LibC.Kill(process.Pid, ProcessCalls.SigKill);
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    private static bool Signal(ProcessIdentity leader, int signal)
    {
        ArgumentNullException.ThrowIfNull(leader);
        return leader.IsAlive && LibC.Kill(-leader.Pid, signal) == 0;
    }

    private static bool HasMark(int pid, string mark)
    {
        try
        {
            var environment = File.ReadAllBytes(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/environ")).AsSpan();
            var wanted = Encoding.UTF8.GetBytes(mark);
            foreach (var range in environment.Split((byte)0))
            {
                if (environment[range].SequenceEqual(wanted))
                {
                    return true;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Ended between the listing and the reading, or another user's: not one of ours.
        }

        return false;
    }
}
