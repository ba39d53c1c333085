// Named network namespaces as ip-netns(8) keeps them: a file below /run/netns on which the namespace is bind-mounted, the folder being a shared mount
// so that every mount namespace sees it.
using System.Runtime.InteropServices;
using MPSec.Linux;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;

namespace MPSec.Changes.Kernel;

/// <summary>Makes, recognises and deletes named network namespaces.</summary>
internal static class NamespaceFiles
{
    private const int Einval = 22;
    private const int LoopbackIndex = 1;

    /// <summary>Runs <paramref name="work"/> in a fresh namespace without a name; it vanishes with everything in it when the work ends.</summary>
    public static T InScratch<T>(Func<T> work)
    {
        T result = default!;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Check(LibC.Unshare(LibC.CloneNewNet), "a network namespace cannot be made");
                result = work();
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        { IsBackground = true, Name = "netns scratch" };
        thread.Start();
        thread.Join();
        return failure is null ? result : throw failure;
    }

    /// <summary>
    /// Makes the namespace. The marker is written before the namespace gets its name: one that can be seen by its name carries it, however
    /// early the process dies.
    /// </summary>
    public static void Create(GatewayName gateway, string marker)
    {
        ShareFolder();
        var file = FileOf(gateway);
        try
        {
            using var created = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.None });
        }
        catch (IOException) when (IsEmptyFile(file))
        {
            // A process died between making the file and mounting the namespace on it.
        }

        InScratch(() =>
        {
            using var conversation = new NetlinkConversation(NetlinkSocket.Open(GatewayName.Host, NetlinkSocket.Route, TimeSpan.FromSeconds(5)));
            LinkMessages.Alias(conversation.Begin(LinkMessages.NewLink, NetlinkWriter.Ack), LoopbackIndex, marker);
            conversation.Execute("the namespace could not be marked");
            Check(LibC.Mount("/proc/thread-self/ns/net", file, "none", LibC.MsBind, 0), "the namespace could not get its name");
            return true;
        });
    }

    /// <summary>Deletes the namespace; it ends when nothing uses it any more.</summary>
    public static void Delete(GatewayName gateway)
    {
        var file = FileOf(gateway);
        if (LibC.Umount(file, LibC.MntDetach) != 0 && Marshal.GetLastPInvokeError() is var errno and not Einval)
        {
            throw new ChangeException(ChangeFault.Refused, $"gateway {gateway}: the namespace could not be deleted: {LibC.Describe(errno)}");
        }

        File.Delete(file);
    }

    /// <summary>What stands under the name.</summary>
    public static NamespaceState StateOf(GatewayName gateway, string marker)
    {
        if (!File.Exists(FileOf(gateway)))
        {
            return NamespaceState.Absent;
        }

        try
        {
            return ReadMarker(gateway) == marker ? NamespaceState.Ours : NamespaceState.Foreign;
        }
        catch (NamespaceException e) when (e.Errno == Einval && IsEmptyFile(FileOf(gateway)))
        {
            return NamespaceState.EmptyFile;
        }
        catch (NamespaceException e) when (e.Errno == 2)
        {
            return NamespaceState.Absent;
        }
    }

    /// <summary>Alias of the loopback interface; null when it has none.</summary>
    public static string? ReadMarker(GatewayName gateway)
    {
        using var conversation = new NetlinkConversation(NetlinkSocket.Open(gateway, NetlinkSocket.Route, TimeSpan.FromSeconds(5)));
        LinkMessages.Link(conversation.Begin(LinkMessages.GetLink, NetlinkWriter.Ack), LoopbackIndex);
        string? alias = null;
        conversation.Execute("the loopback interface could not be read", (_, payload) =>
        {
            var a = new NetlinkAttributes(payload[16..]);
            while (a.Next())
            {
                alias = a.Type == 20 ? a.Text : alias;
            }
        });
        return alias;
    }

    private static string FileOf(GatewayName gateway) => Path.Combine(NamespaceThread.Folder, gateway.Value);

    private static bool IsEmptyFile(string file) => new FileInfo(file) is { Exists: true, Length: 0 } && !IsMountPoint(file);

    private static bool IsMountPoint(string file) => File.ReadLines("/proc/self/mountinfo").Any(line => line.Split(' ') is { Length: > 4 } parts && parts[4] == file);

    private static void ShareFolder()
    {
        Directory.CreateDirectory(NamespaceThread.Folder);
        var made = false;
        while (LibC.Mount("", NamespaceThread.Folder, "none", LibC.MsShared | LibC.MsRec, 0) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (made || errno != Einval)
            {
                throw new ChangeException(errno == 1 ? ChangeFault.NotPermitted : ChangeFault.Refused, $"{NamespaceThread.Folder} cannot be shared: {LibC.Describe(errno)}");
            }

            // Not a mount point yet: bind it on itself once.
            Check(LibC.Mount(NamespaceThread.Folder, NamespaceThread.Folder, "none", LibC.MsBind | LibC.MsRec, 0), $"{NamespaceThread.Folder} cannot be mounted");
            made = true;
        }
    }

    private static void Check(int result, string what)
    {
        if (result != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new ChangeException(errno == 1 ? ChangeFault.NotPermitted : ChangeFault.Refused, $"{what}: {LibC.Describe(errno)}");
        }
    }
}

/// <summary>What stands under a namespace's name.</summary>
internal enum NamespaceState
{
    /// <summary>Nothing.</summary>
    Absent,

    /// <summary>A namespace with the expected marker.</summary>
    Ours,

    /// <summary>A namespace of somebody else.</summary>
    Foreign,

    /// <summary>An empty file without a namespace: what a killed process leaves.</summary>
    EmptyFile,
}
