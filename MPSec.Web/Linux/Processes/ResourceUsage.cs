// getrusage(2), getrlimit(2).
using System.Runtime.InteropServices;

namespace MPSec.Linux.Processes;

/// <summary>Processor time and limits of this process.</summary>
public static class ResourceUsage
{
    private const int Self = 0;
    private const int Children = -1;
    private const int OpenFiles = 7;

    /// <summary>Processor time (user and system) that this process used since its start, all threads.</summary>
    public static TimeSpan OwnTime => Read(Self);

    /// <summary>Processor time of the children that ended and were waited for, with their own children.</summary>
    public static TimeSpan ChildrenTime => Read(Children);

    /// <summary>Raises the limit of open files to at least <paramref name="files"/>.</summary>
    /// <exception cref="IOException">Not permitted.</exception>
    public static void AllowOpenFiles(ulong files)
    {
        Span<ulong> limits = stackalloc ulong[2];
        if (LibC.GetRLimit(OpenFiles, limits) == 0 && limits[0] >= files)
        {
            return;
        }

        if (LibC.SetRLimit(OpenFiles, [files, Math.Max(files, limits[1])]) != 0)
        {
            throw new IOException($"the limit of open files cannot be set to {files}: {LibC.Describe(Marshal.GetLastPInvokeError())}");
        }
    }

    private static TimeSpan Read(int who)
    {
        Span<long> usage = stackalloc long[18];
        return LibC.GetRUsage(who, usage) == 0
            ? TimeSpan.FromSeconds(usage[0] + usage[2]) + TimeSpan.FromMicroseconds(usage[1] + usage[3])
            : throw new IOException($"getrusage: {LibC.Describe(Marshal.GetLastPInvokeError())}");
    }
}
