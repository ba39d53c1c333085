using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using MPSec.Linux.Values;

namespace MPSec.Linux.Namespaces;

/// <summary>
/// Runs work inside a gateway's network namespace (setns(2)). A thread that entered a namespace is never given back to the pool:
/// the pool would go on in the wrong namespace. What the work opens (sockets, files of <c>/proc/thread-self/net</c>) stays bound to that
/// namespace and may be used from any thread afterwards.
/// </summary>
public static class NamespaceThread
{
    /// <summary>Folder where ip-netns(8) keeps named namespaces.</summary>
    public const string Folder = "/run/netns";

    /// <summary>Runs <paramref name="work"/> inside <paramref name="gateway"/> and returns its result. For the host it runs on the calling thread.</summary>
    /// <exception cref="NamespaceException">The namespace does not exist or may not be entered.</exception>
    public static T Run<T>(GatewayName gateway, Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        if (gateway.IsHost)
        {
            return work();
        }

        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter(gateway);
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
            Name = $"netns {gateway}",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    /// <summary>Runs <paramref name="work"/> inside <paramref name="gateway"/>.</summary>
    /// <exception cref="NamespaceException">The namespace does not exist or may not be entered.</exception>
    public static void Run(GatewayName gateway, Action work) => Run(gateway, () =>
    {
        work();
        return true;
    });

    /// <summary>Names under <see cref="Folder"/> that are valid gateway names, in ordinal order; empty when the folder is absent.</summary>
    public static IReadOnlyList<GatewayName> List()
    {
        if (!Directory.Exists(Folder))
        {
            return [];
        }

        var names = new List<GatewayName>();
        foreach (var file in Directory.EnumerateFiles(Folder))
        {
            if (GatewayName.TryParse(Path.GetFileName(file), out var name, out _) && !name.IsHost)
            {
                names.Add(name);
            }
        }

        names.Sort();
        return names;
    }

    /// <summary>Whether the gateway is there: the host always, a namespace when its file is under <see cref="Folder"/>.</summary>
    public static bool Exists(GatewayName gateway) => gateway.IsHost || File.Exists(Path.Combine(Folder, gateway.Value));

    private static void Enter(GatewayName gateway)
    {
        var fd = LibC.Open(Path.Combine(Folder, gateway.Value), LibC.OReadOnly | LibC.OCloexec);
        if (fd < 0)
        {
            throw new NamespaceException(gateway, Marshal.GetLastPInvokeError());
        }

        try
        {
            if (LibC.SetNs(fd, LibC.CloneNewNet) != 0)
            {
                throw new NamespaceException(gateway, Marshal.GetLastPInvokeError());
            }
        }
        finally
        {
            _ = LibC.Close(fd);
        }
    }
}

/// <summary>A network namespace could not be entered. <see cref="Errno"/> is ENOENT (2) when it is gone, EPERM (1) without CAP_SYS_ADMIN.</summary>
public sealed class NamespaceException(GatewayName gateway, int errno)
    : IOException(errno == 2 ? $"gateway {gateway}: there is no network namespace of this name" : $"gateway {gateway}: cannot enter the network namespace: {LibC.Describe(errno)}")
{
    /// <summary>The gateway asked for.</summary>
    public GatewayName Gateway { get; } = gateway;

    /// <summary>Error number of the failed call.</summary>
    public int Errno { get; } = errno;

    /// <summary>The namespace does not exist (any more).</summary>
    public bool IsGone => Errno is 2 or 22;
}
