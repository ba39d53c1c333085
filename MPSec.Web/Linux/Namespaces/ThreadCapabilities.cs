// capabilities(7), capset(2): capabilities belong to a thread. include/uapi/linux/capability.h.
using System.Runtime.ExceptionServices;

namespace MPSec.Linux.Namespaces;

/// <summary>Runs work on a thread of its own that has fewer capabilities. What the work opens keeps the lesser right for ever.</summary>
public static class ThreadCapabilities
{
    private const uint Version3 = 0x20080522;
    private const int NetAdmin = 12;

    /// <summary>
    /// Runs <paramref name="work"/> without CAP_NET_ADMIN, in the namespace of the calling thread. Where the capabilities cannot be changed it runs
    /// with those that are there.
    /// </summary>
    public static T WithoutNetAdmin<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                // Two sets of 32 capabilities: effective, permitted, inheritable each. Process 0 is the calling thread.
                ReadOnlySpan<uint> header = [Version3, 0];
                Span<uint> sets = stackalloc uint[6];
                if (LibC.CapGet(header, sets) == 0)
                {
                    sets[0] &= ~(1u << NetAdmin);
                    _ = LibC.CapSet(header, sets);
                }

                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
            Name = "no net admin",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
